#include "server/moderator.h"

#include <curl/curl.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <utility>

#include "core/json.h"
#include "core/log.h"
#include "core/metrics.h"
#include "server/services.h"

namespace plinth::server {
namespace {

constexpr size_t kAtOnce = 4;       // requests to the endpoint
constexpr size_t kQueueMax = 4096;  // texts that wait for one: as many as requests may be in flight
constexpr size_t kAnswerMax = 1 << 20;
constexpr long kConnectMs = 1000;

// One connection, kept between questions. Of one thread.
class Endpoint {
 public:
  explicit Endpoint(const Moderator::Options& options) : curl_(curl_easy_init()) {
    headers_ = curl_slist_append(nullptr, "content-type: application/json");
    if (!options.key.empty())
      headers_ = curl_slist_append(headers_, ("authorization: Bearer " + options.key).c_str());
    curl_easy_setopt(curl_, CURLOPT_URL, options.url.c_str());
    curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers_);
    curl_easy_setopt(curl_, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl_, CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
    curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl_, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl_, CURLOPT_WRITEDATA, &answer_);
  }

  ~Endpoint() {
    curl_slist_free_all(headers_);
    curl_easy_cleanup(curl_);
  }

  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  Result<std::string> ask(const std::vector<std::string>& texts, long timeout_ms) {
    const std::string body = to_text({{"input", texts}});
    answer_.clear();
    curl_easy_setopt(curl_, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDS, body.c_str());
    const CURLcode code = curl_easy_perform(curl_);
    if (code != CURLE_OK)
      return make_error(Code::kUnavailable, "the moderator: {}", curl_easy_strerror(code));
    return flagged_categories(answer_);
  }

 private:
  static size_t take(char* bytes, size_t size, size_t n, void* answer) {
    auto& text = *static_cast<std::string*>(answer);
    if (text.size() + size * n > kAnswerMax) return 0;  // ends the transfer with an error
    text.append(bytes, size * n);
    return size * n;
  }

  CURL* curl_;
  curl_slist* headers_ = nullptr;
  std::string answer_;
};

// Of no vocabulary: it decodes to nothing.
constexpr int64_t kNoToken = -1;

bool is_ids(const Json& value) {
  return !value.empty() &&
         std::ranges::all_of(value, [](const Json& one) { return one.is_number_integer(); });
}

// Texts anywhere below a field that holds them.
void add_texts(const Json& value, const Decode& decode, std::vector<std::string>& texts) {
  if (value.is_string()) {
    if (!value.get_ref<const std::string&>().empty()) texts.push_back(value.get<std::string>());
    return;
  }
  if (value.is_array() && is_ids(value)) {
    std::vector<int32_t> ids;
    for (const Json& one : value) {
      const auto id = one.get<int64_t>();
      ids.push_back(static_cast<int32_t>(id == static_cast<int32_t>(id) ? id : kNoToken));
    }
    if (std::string text = decode(ids); !text.empty()) texts.push_back(std::move(text));
    return;
  }
  if (value.is_array())
    for (const Json& one : value) add_texts(one, decode, texts);
  if (value.is_object())
    for (const char* name : {"content", "text", "output", "arguments", "refusal", "name",
                             "tool_calls", "function", "description"})
      if (value.contains(name)) add_texts(value[name], decode, texts);
}

}  // namespace

std::vector<std::string> texts_of(std::string_view body, const Decode& decode) {
  std::vector<std::string> texts;
  const auto json = parse_json(body, "body");
  if (!json || !json->is_object()) return texts;  // the handler says what is wrong with it
  for (const char* name :
       {"instructions", "messages", "prompt", "input", "query", "documents", "suffix", "tools"})
    if (json->contains(name)) add_texts((*json)[name], decode, texts);
  return texts;
}

Result<std::string> flagged_categories(std::string_view body) {
  const auto json = parse_json(body, "the moderator's answer");
  if (!json || !json->is_object() || !json->contains("results") || !(*json)["results"].is_array())
    return make_error(Code::kUnavailable, "the moderator: its answer has no results");
  std::set<std::string> names;
  for (const Json& result : (*json)["results"]) {
    if (!result.is_object() || !result.contains("flagged") || !result["flagged"].is_boolean())
      return make_error(Code::kUnavailable, "the moderator: a result does not say flagged");
    if (!result["flagged"].get<bool>()) continue;
    const size_t before = names.size();
    const Json categories = result.value("categories", Json::object());
    for (const auto& [name, on] : categories.items())
      if (on == true) names.insert(name);
    if (names.size() == before) names.insert("flagged");
  }
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

Result<std::shared_ptr<Moderator>> Moderator::read(const Config& config) {
  if (!config.has("moderator")) return std::shared_ptr<Moderator>();
  Options options;
  PLINTH_TRY(options.url, config.text("moderator.url", ""));
  PLINTH_TRY(const std::string variable, config.text("moderator.key_variable", ""));
  PLINTH_TRY(const int64_t timeout_ms, config.integer("moderator.timeout_ms", 2000, 10, 60'000));
  PLINTH_TRY(const std::string unavailable, config.text("moderator.unavailable", "block"));
  options.timeout_ms = static_cast<int>(timeout_ms);
  if (unavailable != "block" && unavailable != "pass")
    return invalid("moderator.unavailable: {} is neither block nor pass", unavailable);
  options.passes_unavailable = unavailable == "pass";
  PLINTH_TRY(options.judges_answers, config.flag("moderator.answers", true));
  if (!variable.empty()) {
    const char* key = std::getenv(variable.c_str());
    if (key == nullptr || *key == '\0')
      return invalid("moderator.key_variable: ${} is not set", variable);
    options.key = key;
  }
  return start(options);
}

Result<std::shared_ptr<Moderator>> Moderator::start(const Options& options) {
  if (!options.url.starts_with("http://") && !options.url.starts_with("https://"))
    return invalid("moderator.url: {} is no http:// or https:// address", options.url);
  static const CURLcode kReady = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (kReady != CURLE_OK) return internal_error("libcurl: {}", curl_easy_strerror(kReady));
  return std::shared_ptr<Moderator>(new Moderator(options));
}

Moderator::Moderator(Options options) : options_(std::move(options)) {
  for (size_t i = 0; i < kAtOnce; ++i) threads_.emplace_back([this] { work(); });
}

Moderator::~Moderator() {
  join();
}

void Moderator::join() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.join();
}

void Moderator::end() {
  std::deque<Question> left;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    left.swap(queue_);
  }
  join();
  for (const Question& question : left)
    question.done(make_error(Code::kUnavailable, "the moderator: it has been ended"));
}

void Moderator::judge(std::vector<std::string> texts, Done done) {
  {
    const std::lock_guard lock(mutex_);
    if (!ending_ && queue_.size() < kQueueMax) {
      queue_.push_back({std::move(texts), std::move(done)});
      changed_.notify_one();
      return;
    }
  }
  done(make_error(Code::kUnavailable, "the moderator: too many texts wait for it"));
}

void Moderator::work() {
  Endpoint endpoint(options_);
  while (true) {
    Question question;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
      if (queue_.empty()) return;
      question = std::move(queue_.front());
      queue_.pop_front();
    }
    const long left_ms = options_.timeout_ms - std::lround(question.asked.seconds() * 1e3);
    if (left_ms <= 0) {
      question.done(make_error(Code::kUnavailable,
                               "the moderator: the questions before took longer than {} ms",
                               options_.timeout_ms));
      continue;
    }
    question.done(endpoint.ask(question.texts, left_ms));
  }
}

void count_judgement(const Result<std::string>& verdict, FilterSide side) {
  const char* outcome = !verdict ? "unavailable" : verdict->empty() ? "passed" : "flagged";
  count("plinth_moderated_total", 1,
        {{"side", side == FilterSide::kInput ? "input" : "output"}, {"outcome", outcome}});
}

void moderate(const Services& services, const Call& call, Handle handle) {
  const auto moderator = services.settings.moderator();
  if (moderator == nullptr) return handle(services, call);
  auto texts = texts_of(call.exchange->request().body, [&](std::span<const int32_t> ids) {
    return services.engine.model().tokenizer().decode(ids, true);
  });
  if (texts.empty()) return handle(services, call);
  const bool passes = moderator->passes_unavailable();
  moderator->judge(std::move(texts), [services, call, handle, passes](Result<std::string> verdict) {
    call.exchange->post([services, call, handle, passes, verdict = std::move(verdict)] {
      count_judgement(verdict, FilterSide::kInput);
      if (!verdict && !passes) return refuse(call, {.error = verdict.error()});
      if (!verdict) log_warn("a question passed unseen: {}", verdict.error().message);
      if (!verdict || verdict->empty()) return handle(services, call);
      refuse(call, {.error = invalid("the moderator does not let this pass: {}", *verdict),
                    .code = "content_filter"});
    });
  });
}

}  // namespace plinth::server
