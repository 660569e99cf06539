#include "cli/load.h"

#include <curl/curl.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <list>
#include <memory>
#include <string_view>

#include "core/clock.h"
#include "core/interrupt.h"
#include "core/json.h"
#include "core/rng.h"

namespace plinth::cli {
namespace {

constexpr int64_t kFirstId = 300;       // below are bytes and special tokens in most vocabularies
constexpr size_t kErrorBytesMax = 300;  // of a refusal's body
constexpr int kPollMs = 50;

// The body of request `number`.
std::string body_of(const Load& load, int64_t number) {
  const auto seed = static_cast<uint64_t>(load.seed) << 32;  // no load's requests are another's
  Rng shared(seed);
  Rng own(seed + 1 + static_cast<uint64_t>(number));
  Json ids = Json::array();
  std::string words;
  for (int64_t i = 0; i < load.prompt_tokens; ++i) {
    Rng& rng = i < load.shared_tokens ? shared : own;
    const auto id = kFirstId + static_cast<int64_t>(
                                   rng.below(static_cast<uint64_t>(load.vocabulary - kFirstId)));
    if (load.chat)
      words += fmt::format(" {:x}", id % 4096);
    else
      ids.push_back(id);
  }
  const auto model = static_cast<size_t>(number) % load.models.size();
  Json body = {{"model", load.models[model]},
               {"stream", true},
               {"stream_options", {{"include_usage", true}}},
               {"max_tokens", load.answer_tokens},
               {"temperature", 0},
               {"ignore_eos", true}};  // not OpenAI's, but known to the servers one compares
  if (load.chat)
    body["messages"] = {{{"role", "user"}, {"content", words}}};
  else
    body["prompt"] = std::move(ids);
  if (!load.fields.empty())
    body.update(load.fields[static_cast<size_t>(number) % load.fields.size()]);
  return to_text(body);
}

// One request on the wire.
class Transfer {
 public:
  Transfer(const Load& load, curl_slist* headers, int64_t number, const Stopwatch& watch,
           Seen& seen)
      : handle_(curl_easy_init()), body_(body_of(load, number)), watch_(watch), seen_(seen) {
    const std::string url = load.url + (load.chat ? "/chat/completions" : "/completions");
    curl_easy_setopt(handle_, CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle_, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(handle_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_.size()));
    curl_easy_setopt(handle_, CURLOPT_POSTFIELDS, body_.c_str());
    curl_easy_setopt(handle_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle_, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(handle_, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(handle_, CURLOPT_WRITEFUNCTION, &Transfer::receive);
    curl_easy_setopt(handle_, CURLOPT_PRIVATE, this);
    seen_.sent_s = watch_.seconds();
  }

  ~Transfer() { curl_easy_cleanup(handle_); }

  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  CURL* handle() const { return handle_; }

  void end(CURLcode code) {
    seen_.ended_s = watch_.seconds();
    if (seen_.answer_tokens == 0) seen_.answer_tokens = std::ssize(seen_.pieces_s);
    int64_t status = 0;
    curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK)
      seen_.error = curl_easy_strerror(code);
    else if (status != 200)
      seen_.error = fmt::format("status {}: {}", status, pending_.substr(0, kErrorBytesMax));
    else if (!done_ && seen_.error.empty())
      seen_.error = "the stream ended without [DONE]";
  }

 private:
  static size_t receive(const char* data, size_t size, size_t n, void* self) {
    static_cast<Transfer*>(self)->take({data, size * n});
    return size * n;
  }

  void take(std::string_view bytes) {
    pending_ += bytes;
    size_t at = 0;
    for (size_t end = 0; (end = pending_.find('\n', at)) != std::string::npos; at = end + 1)
      take_line(std::string_view(pending_).substr(at, end - at));
    pending_.erase(0, at);
  }

  void take_line(std::string_view line) {
    constexpr std::string_view kData = "data: ";
    if (!line.starts_with(kData)) return;
    line.remove_prefix(kData.size());
    if (line.starts_with("[DONE]")) {
      done_ = true;
      return;
    }
    const auto json = parse_json(line, "event");
    if (!json || !json->is_object() || json->contains("error")) {
      seen_.error = std::string(line.substr(0, kErrorBytesMax));
      return;
    }
    if (const auto usage = json->find("usage"); usage != json->end() && usage->is_object()) {
      seen_.prompt_tokens = int_or(*usage, "prompt_tokens", 0);
      seen_.answer_tokens = int_or(*usage, "completion_tokens", 0);
    }
    const auto choices = json->find("choices");
    if (choices == json->end() || !choices->is_array() || choices->empty()) return;
    const Json& choice = choices->front();
    const std::string text = choice.contains("delta") ? string_or(choice["delta"], "content", "")
                                                      : string_or(choice, "text", "");
    if (!text.empty()) seen_.pieces_s.push_back(watch_.seconds());
  }

  CURL* handle_;
  std::string body_;
  const Stopwatch& watch_;
  Seen& seen_;
  std::string pending_;
  bool done_ = false;
};

class Generator {
 public:
  explicit Generator(const Load& load) : load_(load), multi_(curl_multi_init()) {
    const auto add = [&](const std::string& header) {
      headers_ = curl_slist_append(headers_, header.c_str());
    };
    add("content-type: application/json");
    add("expect:");
    if (!load.key.empty()) add("authorization: Bearer " + load.key);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, 4096L);
    seen_.resize(static_cast<size_t>(load.requests));
  }

  ~Generator() {
    for (const auto& transfer : transfers_) curl_multi_remove_handle(multi_, transfer->handle());
    transfers_.clear();
    curl_multi_cleanup(multi_);
    curl_slist_free_all(headers_);
  }

  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  Result<std::vector<Seen>> run() {
    while (ended_ < load_.requests) {
      if (interrupted()) return make_error(Code::kCancelled, "interrupted");
      const int wait_ms = send_due();
      int running = 0;
      curl_multi_perform(multi_, &running);
      // Whoever has got an answer asks anew at once, not when somebody else's moves or time is up.
      if (!collect()) curl_multi_poll(multi_, nullptr, 0, wait_ms, nullptr);
    }
    return std::move(seen_);
  }

 private:
  // Sends what is due; returns how long nothing else will be, in milliseconds.
  int send_due() {
    while (sent_ < load_.requests) {
      if (load_.rate > 0) {
        const double left = due_s_ - watch_.seconds();
        if (left > 0) return std::min(kPollMs, static_cast<int>(left * 1e3));
        due_s_ += -std::log(1 - arrivals_.uniform()) / load_.rate;
      } else if (sent_ - ended_ >= load_.users) {
        break;
      }
      send();
    }
    return kPollMs;
  }

  void send() {
    const int64_t number = sent_++;
    auto transfer = std::make_unique<Transfer>(load_, headers_, number, watch_,
                                               seen_[static_cast<size_t>(number)]);
    curl_multi_add_handle(multi_, transfer->handle());
    transfers_.push_back(std::move(transfer));
  }

  // Whether any has ended.
  bool collect() {
    const int64_t before = ended_;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* const handle = message->easy_handle;
      const auto found = std::ranges::find(transfers_, handle, &Transfer::handle);
      (*found)->end(message->data.result);
      curl_multi_remove_handle(multi_, handle);
      transfers_.erase(found);
      ++ended_;
    }
    return ended_ > before;
  }

  const Load& load_;
  CURLM* multi_;
  curl_slist* headers_ = nullptr;
  Stopwatch watch_;
  Rng arrivals_{static_cast<uint64_t>(load_.arrivals)};
  std::vector<Seen> seen_;
  std::list<std::unique_ptr<Transfer>> transfers_;
  int64_t sent_ = 0;
  int64_t ended_ = 0;
  double due_s_ = 0;
};

}  // namespace

Result<std::vector<Seen>> run_load(const Load& load) {
  if (load.models.empty()) return invalid("load: no model is named");
  if (load.shared_tokens > load.prompt_tokens)
    return invalid("load: {} of {} prompt tokens cannot be shared", load.shared_tokens,
                   load.prompt_tokens);
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return internal_error("libcurl does not start");
  return Generator(load).run();
}

}  // namespace plinth::cli
