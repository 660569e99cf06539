// A remote judge of what is asked and answered, beside the words of content_filter.h: an HTTP
// endpoint in the shape of OpenAI's moderations, POST {"input": [texts]} -> {"results":
// [{"flagged", "categories"}]}. Questions wait for it before anything else is done with them,
// answers before they go out (held_choice.h).
//
// The configuration file's table (settings.h):
//
//   [moderator]
//   url = "http://127.0.0.1:9000/v1/moderations"
//   key_variable = "MODERATOR_KEY"   # environment variable with its key; none: no key is sent
//   timeout_ms = 2000                # for a judgement, waiting for the ones before included
//   unavailable = "block"            # or "pass": what becomes of texts that get none
//   answers = true                   # false: it sees questions only
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "core/config.h"
#include "core/result.h"
#include "server/content_filter.h"
#include "server/router.h"

namespace plinth::server {

struct Services;

class Moderator {
 public:
  struct Options {
    std::string url = {};
    std::string key = {};
    int timeout_ms = 2000;
    bool passes_unavailable = false;
    bool judges_answers = true;
  };

  // Null: the configuration has none.
  static Result<std::shared_ptr<Moderator>> read(const Config& config);
  static Result<std::shared_ptr<Moderator>> start(const Options& options);

  // Waits for what was asked: settings are read anew while questions are under way.
  ~Moderator();
  Moderator(const Moderator&) = delete;
  Moderator& operator=(const Moderator&) = delete;

  // Gets the categories that were flagged ("hate, violence"), empty: none; or why nobody knows.
  using Done = std::function<void(Result<std::string>)>;

  // Any thread; `done` runs on one of the moderator's own, which it must not block.
  void judge(std::vector<std::string> texts, Done done);

  // What waits, and what comes from now on, gets kUnavailable; what is being asked is waited for.
  // Again: nothing.
  void end();

  bool passes_unavailable() const { return options_.passes_unavailable; }

  bool judges_answers() const { return options_.judges_answers; }

 private:
  struct Question {
    std::vector<std::string> texts;
    Done done;
    Stopwatch asked = Stopwatch();
  };

  explicit Moderator(Options options);

  void work();
  void join();

  const Options options_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<Question> queue_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

using Decode = std::function<std::string(std::span<const int32_t>)>;

// Every text of a request's body that its author wrote: messages, prompts, inputs, queries and
// documents, instructions, tools, and what they gave back. Token ids are words as well.
std::vector<std::string> texts_of(std::string_view body, const Decode& decode);

// The categories of a moderation's answer that are flagged.
Result<std::string> flagged_categories(std::string_view body);

// For the metrics; flagged: it names categories.
void count_judgement(const Result<std::string>& verdict, FilterSide side);

// Handles the call when the moderator lets it pass, or when there is none; else it is refused.
using Handle = void (*)(const Services&, const Call&);
void moderate(const Services& services, const Call& call, Handle handle);

}  // namespace plinth::server
