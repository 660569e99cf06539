// One answer in the making, of whatever shape: hands its requests to the engine, follows their
// events past the filter and the moderator, writes its usage to the ledger, and only then sends the
// end.
//
// It lives on its connection's strand: engine events are posted there, so nothing in it is locked.
// A client that hangs up cancels its sequences and is billed for what was computed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/json.h"
#include "server/held_choice.h"
#include "server/services.h"

namespace plinth::server {

// How an answer ended: by choice, and what it used (each prompt once, the tokens of all choices).
struct Outcome {
  std::vector<engine::FinishReason> reasons = {};
  engine::Usage usage = {};
  std::vector<bool> filtered = {};  // cut off by the content filter or the moderator
};

// The shape of an answer: events in, JSON out. Either take() for each event and whole() at the end,
// or begin(), piece() for each event, and end(). `choice` counts through all requests.
class AnswerFormat {
 public:
  virtual ~AnswerFormat() = default;

  virtual void take(size_t choice, const engine::Event& event) = 0;
  virtual Json whole(const Outcome& outcome) = 0;

  // Server-sent events, ready to be written; may be empty.
  virtual std::string begin() = 0;
  virtual std::string piece(size_t choice, const engine::Event& event) = 0;
  virtual std::string end(const Outcome& outcome) = 0;

  virtual std::string_view end_mark() const { return "data: [DONE]\n\n"; }
};

struct AnswerPlan {
  std::string model = {};  // as the client called it
  DomainModelPtr release = {};
  // Without sinks; each may ask for several choices.
  std::vector<engine::Request> requests = {};
  bool stream = false;
  // Nothing is generated: the prompts alone were wanted, and have been read.
  bool prompts_only = false;
  double core_s = 0;  // that its prompts have taken before
  std::unique_ptr<AnswerFormat> format = {};
};

class AnswerCall : public std::enable_shared_from_this<AnswerCall> {
 public:
  // The call ends by itself: nobody needs to keep it.
  static void start(const Services& services, const Call& call, AnswerPlan plan);

 private:
  AnswerCall(const Services& services, const Call& call, AnswerPlan plan);

  void submit();
  void take(size_t choice, engine::Event event);
  void show(size_t choice, const engine::Event& event);
  void judge(size_t choice);
  void judged(size_t choice, const Result<std::string>& verdict, bool passes);
  void cut_off(size_t choice);
  void cancel();
  void open_stream();
  void keep_alive();
  void finish_choice(size_t choice, const engine::Event& event);
  void write_bill();
  void trace() const;
  void say_error();
  void finish(const Status& written);

  const Services services_;
  const Call call_;
  AnswerPlan plan_;
  Stopwatch watch_;
  int64_t begin_ns_ = 0;  // where the call is traced
  void filter(size_t choice, engine::Event& event);

  std::vector<FilteredText> filters_;  // by choice; empty: nothing is filtered
  std::vector<HeldChoice> held_;       // by choice; empty: answers are not judged
  std::vector<engine::RequestId> ids_;
  std::vector<size_t> first_choice_;  // by request
  std::vector<double> first_s_;       // by choice: when its first token came, 0 until then
  Outcome outcome_;
  size_t choices_finished_ = 0;
  bool refused_ = false;
  bool streaming_ = false;
  bool gone_ = false;   // the client, or the server's time
  bool told_ = false;   // the client, that the answer is not complete
  bool spoke_ = false;  // since the last look of keep_alive()
  std::optional<Error> error_;
};

}  // namespace plinth::server
