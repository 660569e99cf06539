#include "cli/chat_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "core/interrupt.h"
#include "core/json.h"
#include "text/unicode.h"

namespace plinth::cli {
namespace {

constexpr size_t kAnswerBytesMax = size_t{16} << 20;
// What passes by itself is asked again after 1, 2, 4, 8 seconds, or when the server says.
constexpr int kTriesMax = 5;
constexpr double kPauseMax_s = 60;

size_t take(char* data, size_t size, size_t n, void* out) {
  auto& body = *static_cast<std::string*>(out);
  if (body.size() + size * n > kAnswerBytesMax) return 0;
  body.append(data, size * n);
  return size * n;
}

int stop_when_interrupted(void*, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return check_interrupted() ? 0 : 1;
}

}  // namespace

struct ChatClient::Impl {
  ChatEndpoint endpoint;
  CURL* curl = nullptr;
  curl_slist* headers = nullptr;
  bool formats = true;    // until the server refuses one
  bool answered = false;  // it is there: if it goes away, it may come back

  ~Impl() {
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
  }

  struct Answer {
    long status = 0;
    std::string body;
    double retry_after_s = 0;

    bool may_pass() const {  // too many requests, a restart behind a proxy
      return status == 429 || (status >= 502 && status <= 504);
    }
  };

  Result<Answer> post(const std::string& body) {
    for (int n = 1;; ++n) {
      auto answer = post_once(body);
      const bool again =
          answer ? answer->may_pass() : answered && answer.error().code == Code::kUnavailable;
      if (n == kTriesMax || !again) return answer;
      const double pause_s =
          std::max(static_cast<double>(1 << (n - 1)), answer ? answer->retry_after_s : 0.0);
      PLINTH_TRY(pause(std::min(pause_s, kPauseMax_s)));
    }
  }

  static Status pause(double seconds) {
    using Seconds = std::chrono::duration<double>;
    const auto until = std::chrono::steady_clock::now() + Seconds(seconds);
    while (std::chrono::steady_clock::now() < until) {
      PLINTH_TRY(check_interrupted());
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return {};
  }

  Result<Answer> post_once(const std::string& body) {
    Answer out;
    char detail[CURL_ERROR_SIZE] = "";
    const std::string url = endpoint.url + "/chat/completions";
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.c_str());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &out.body);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(endpoint.timeout_s * 1e3));
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, stop_when_interrupted);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    const CURLcode code = curl_easy_perform(curl);
    PLINTH_TRY(check_interrupted());
    if (code != CURLE_OK)
      return make_error(Code::kUnavailable, "{}: {}", url,
                        *detail != '\0' ? detail : curl_easy_strerror(code));
    answered = true;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &out.status);
    curl_off_t retry_after = 0;
    curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after);
    out.retry_after_s = static_cast<double>(retry_after);
    return out;
  }
};

ChatClient::ChatClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ChatClient::ChatClient(ChatClient&&) noexcept = default;
ChatClient::~ChatClient() = default;

Result<ChatClient> ChatClient::open(const ChatEndpoint& endpoint) {
  if (!endpoint.url.starts_with("http://") && !endpoint.url.starts_with("https://"))
    return invalid("\"{}\" is no http address of an OpenAI-compatible server", endpoint.url);
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return internal_error("libcurl does not start");
  auto impl = std::make_unique<Impl>();
  impl->endpoint = endpoint;
  while (impl->endpoint.url.ends_with('/')) impl->endpoint.url.pop_back();
  impl->curl = curl_easy_init();
  if (impl->curl == nullptr) return internal_error("libcurl does not start");
  impl->headers = curl_slist_append(nullptr, "Content-Type: application/json");
  if (!endpoint.key.empty())
    impl->headers =
        curl_slist_append(impl->headers, ("Authorization: Bearer " + endpoint.key).c_str());
  return ChatClient(std::move(impl));
}

Result<std::string> ChatClient::ask(const std::string& prompt, const std::string& response_format) {
  Json request = {{"model", impl_->endpoint.model},
                  {"messages", {{{"role", "user"}, {"content", prompt}}}},
                  {"temperature", 0},
                  {"max_tokens", impl_->endpoint.tokens_max}};
  const bool with_format = impl_->formats && !response_format.empty();
  if (with_format) {
    PLINTH_TRY(request["response_format"], parse_json(response_format, "response_format"));
  }
  PLINTH_TRY(auto answer, impl_->post(to_text(request)));
  if (with_format && (answer.status == 400 || answer.status == 422)) {
    request.erase("response_format");
    PLINTH_TRY(auto plain, impl_->post(to_text(request)));
    if (plain.status == 200) impl_->formats = false;
    answer = std::move(plain);
  }
  if (answer.status != 200)
    return make_error(answer.status == 400 ? Code::kInvalidArgument : Code::kUnavailable,
                      "{} answers {}: {}", impl_->endpoint.url, answer.status,
                      answer.body.substr(0, 300));
  const auto json = parse_json(answer.body, impl_->endpoint.url);
  const Json none = Json::object();
  const Json& whole = json && json->is_object() ? *json : none;
  const auto choices = whole.find("choices");
  if (choices == whole.end() || !choices->is_array() || choices->empty() ||
      !choices->front().is_object() || !choices->front().contains("message"))
    return data_loss("{} answers with no chat completion: {}", impl_->endpoint.url,
                     text::to_valid_utf8(answer.body.substr(0, 300)));
  return string_or(choices->front()["message"], "content", "");
}

}  // namespace plinth::cli
