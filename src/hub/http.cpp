#include "hub/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/check.h"
#include "core/interrupt.h"
#include "hub/names.h"
#include "hub/url.h"

namespace plinth::hub {
namespace {

constexpr int kHopsMax = 8;
constexpr long kConnectSeconds = 20;
constexpr long kReceiveBytes = 256 * 1024;
// What an error page or a redirect may send before the connection is not worth keeping.
constexpr size_t kIgnoredBytesMax = 1 << 20;

// What the callbacks of one hop share.
struct Hop {
  const Http::Sink* sink;
  Answer answer = {};
  std::string location = {};
  bool head_given = false;
  size_t ignored_bytes = 0;
  std::optional<Error> error = {};  // of the sink

  bool is_body() const { return answer.status >= 200 && answer.status < 300; }

  bool give(Status status) {
    if (!status) error = std::move(status).error();
    return !error.has_value();
  }

  bool give_head() {
    if (head_given || !is_body()) return true;
    head_given = true;
    return give(sink->head(answer));
  }
};

std::string lower(std::string_view text) {
  std::string low(text);
  for (char& c : low)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return low;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  return text;
}

size_t on_header(char* data, size_t size, size_t count, void* user) {
  auto& hop = *static_cast<Hop*>(user);
  const std::string_view line(data, size * count);
  if (line.starts_with("HTTP/")) {  // also behind a 100 Continue: what came before does not count
    hop.answer = {};
    hop.location.clear();
    const size_t space = line.find(' ');
    if (space != std::string_view::npos)
      (void)std::from_chars(line.data() + space + 1, line.data() + line.size(), hop.answer.status);
    return size * count;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size * count;
  const std::string name = lower(line.substr(0, colon));
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (name == "location") hop.location = value;
  if (name == "link") hop.answer.link = value;
  if (name == "content-range") read_content_range(value, hop.answer);
  if (name == "retry-after") {
    int64_t seconds = 0;
    if (std::from_chars(value.data(), value.data() + value.size(), seconds).ec == std::errc())
      hop.answer.retry_after = static_cast<double>(std::max<int64_t>(seconds, 0));
  }
  return size * count;
}

size_t on_body(char* data, size_t size, size_t count, void* user) {
  auto& hop = *static_cast<Hop*>(user);
  const size_t bytes = size * count;
  if (!hop.is_body()) {
    hop.ignored_bytes += bytes;
    return hop.ignored_bytes > kIgnoredBytesMax ? 0 : bytes;
  }
  if (!hop.give_head()) return 0;
  return hop.give(hop.sink->body({data, bytes})) ? bytes : 0;
}

// libcurl calls this about once a second, and whenever something moves.
int on_progress(void*, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return interrupted() ? 1 : 0;
}

Error transport_error(CURLcode code, const std::string& url, const char* detail) {
  const std::string what =
      fmt::format("{}: {}", printable(without_query(url)),
                  *detail != '\0' ? printable(detail) : std::string(curl_easy_strerror(code)));
  switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
      return {Code::kCancelled, "interrupted"};
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
      return {Code::kFailedPrecondition,
              what + " (is ca-certificates installed, is the clock right?)"};
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return {Code::kInvalidArgument, what};
    default:
      return {Code::kUnavailable, what};
  }
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// Once for the process, before the first handle.
void initialise_curl() {
  static const CURLcode kDone = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)kDone;
}

}  // namespace

struct Http::Impl {
  const Access* access;
  CURL* curl;

  Result<Hop> perform(const std::string& url, int64_t offset, const Sink& sink);
};

Http::Http(const Access& access) {
  initialise_curl();
  impl_ = std::make_unique<Impl>(Impl{&access, curl_easy_init()});
  PLINTH_CHECK(impl_->curl != nullptr, "libcurl gives no handle");
}

Http::~Http() {
  curl_easy_cleanup(impl_->curl);
}

// One request, one answer, no redirect.
Result<Hop> Http::Impl::perform(const std::string& url, int64_t offset, const Sink& sink) {
  PLINTH_TRY(const Url target, parse_url(url));
  PLINTH_TRY(const Url hub, parse_url(access->address));
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(nullptr,
                                                                      &curl_slist_free_all);
  const auto add = [&headers](const std::string& line) {
    headers.reset(curl_slist_append(headers.release(), line.c_str()));
  };
  if (!access->token.empty() && same_origin(target, hub)) {
    add("Authorization: Bearer " + access->token);
    // ModelScope's older servers know the token as a session.
    if (access->token_variable == "MODELSCOPE_API_TOKEN")
      add("Cookie: m_session_id=" + access->token);
  }
  if (offset > 0) add(fmt::format("Range: bytes={}-", offset));

  Hop hop{.sink = &sink};
  char detail[CURL_ERROR_SIZE] = {};
  curl_easy_reset(curl);
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "plinth");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
                   std::max(1L, static_cast<long>(access->stall_seconds)));
  curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, kReceiveBytes);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &hop);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &hop);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &on_progress);
  const CURLcode code = curl_easy_perform(curl);
  // The handle keeps pointers to this frame; the next request sets them anew.
  if (hop.error) return *hop.error;
  // An error's own text may be cut short; its status is what counts.
  if (code != CURLE_OK && (hop.answer.status == 0 || hop.is_body()))
    return transport_error(code, url, detail);
  if (interrupted()) return Error{Code::kCancelled, "interrupted"};
  if (!hop.give_head()) return *hop.error;  // an answer without a body
  return hop;
}

Result<Answer> Http::get(const std::string& url, int64_t offset, const Sink& sink) {
  std::string at = url;
  for (int hops = 0; hops < kHopsMax; ++hops) {
    PLINTH_TRY(const Hop hop, impl_->perform(at, offset, sink));
    if (!is_redirect(hop.answer.status)) return hop.answer;
    if (hop.location.empty())
      return make_error(Code::kUnavailable, "{}: status {} without an address to go to",
                        printable(without_query(at)), hop.answer.status);
    PLINTH_TRY(at, resolve_location(at, hop.location));
  }
  return make_error(Code::kUnavailable, "{}: more than {} redirects", printable(without_query(url)),
                    kHopsMax);
}

}  // namespace plinth::hub
