#include "server/tracing.h"

#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/metrics.h"

namespace plinth::server {
namespace {

constexpr size_t kQueueMax = 8192;
constexpr size_t kBatchMax = 512;
constexpr auto kInterval = std::chrono::milliseconds(1000);
constexpr long kTimeoutMs = 2000;
constexpr long kConnectMs = 1000;

bool is_hex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_id(std::string_view text) {
  return is_hex(text) && text.find_first_not_of('0') != std::string_view::npos;
}

Json value_json(const Json& value) {
  if (value.is_boolean()) return {{"boolValue", value}};
  // Integers of 64 bits are texts in protobuf's JSON.
  if (value.is_number_integer()) return {{"intValue", std::to_string(value.get<int64_t>())}};
  return {{"stringValue", value}};
}

Json attributes_json(const Json& attributes) {
  Json list = Json::array();
  for (const auto& [key, value] : attributes.items())
    list.push_back({{"key", key}, {"value", value_json(value)}});
  return list;
}

Json span_json(const Span& span) {
  Json json = {{"traceId", span.context.trace},
               {"spanId", span.context.span},
               {"name", span.name},
               {"kind", span.answers ? 2 : 1},
               {"startTimeUnixNano", std::to_string(span.start_ns)},
               {"endTimeUnixNano", std::to_string(span.end_ns)},
               {"attributes", attributes_json(span.attributes)}};
  if (!span.parent.empty()) json["parentSpanId"] = span.parent;
  if (span.failed) json["status"] = {{"code", 2}};
  return json;
}

void drop(size_t spans) {
  count("plinth_spans_dropped_total", static_cast<double>(spans));
}

// One connection, kept between batches. Of its own thread.
class Exporter {
 public:
  explicit Exporter(const std::string& url) : curl_(curl_easy_init()) {
    headers_ = curl_slist_append(nullptr, "content-type: application/json");
    curl_easy_setopt(curl_, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers_);
    curl_easy_setopt(curl_, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl_, CURLOPT_TIMEOUT_MS, kTimeoutMs);
    curl_easy_setopt(curl_, CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
    curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl_, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, ignore);
  }

  ~Exporter() {
    curl_slist_free_all(headers_);
    curl_easy_cleanup(curl_);
  }

  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;

  // False: not delivered.
  bool send(std::span<const Span> spans) {
    const std::string body = to_text(otlp_json(spans));
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDS, body.c_str());
    const CURLcode code = curl_easy_perform(curl_);
    // Said once for each time that it goes away.
    if (code != CURLE_OK && !std::exchange(away_, true))
      log_warn("traces are dropped: the collector: {}", curl_easy_strerror(code));
    if (code == CURLE_OK) away_ = false;
    return code == CURLE_OK;
  }

 private:
  static size_t ignore(char*, size_t size, size_t n, void*) { return size * n; }

  CURL* curl_;
  curl_slist* headers_ = nullptr;
  bool away_ = false;
};

}  // namespace

std::optional<TraceParent> parse_traceparent(std::string_view header) {
  // version "-" trace-id "-" parent-id "-" flags; later versions may go on behind another "-".
  constexpr size_t kSize = 55;
  if (header.size() < kSize || header[2] != '-' || header[35] != '-' || header[52] != '-')
    return std::nullopt;
  const std::string_view version = header.substr(0, 2), flags = header.substr(53, 2);
  if (!is_hex(version) || version == "ff" || !is_hex(flags)) return std::nullopt;
  if (header.size() > kSize && (version == "00" || header[kSize] != '-')) return std::nullopt;
  const std::string_view trace = header.substr(3, 32), span = header.substr(36, 16);
  if (!is_id(trace) || !is_id(span)) return std::nullopt;
  const bool sampled = std::string_view("13579bdf").find(flags[1]) != std::string_view::npos;
  return TraceParent{{std::string(trace), std::string(span)}, sampled};
}

std::string to_traceparent(const TraceContext& context) {
  return fmt::format("00-{}-{}-01", context.trace, context.span);
}

Json otlp_json(std::span<const Span> spans) {
  Json list = Json::array();
  for (const Span& span : spans) list.push_back(span_json(span));
  return {{"resourceSpans",
           {{{"resource", {{"attributes", attributes_json({{"service.name", "plinth"}})}}},
             {"scopeSpans", {{{"scope", {{"name", "plinth"}}}, {"spans", std::move(list)}}}}}}}};
}

Result<std::unique_ptr<Tracer>> Tracer::start(const std::string& endpoint) {
  if (!endpoint.starts_with("http://") && !endpoint.starts_with("https://"))
    return invalid("traces: {} is no http:// or https:// address", endpoint);
  static const CURLcode kReady = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (kReady != CURLE_OK) return internal_error("libcurl: {}", curl_easy_strerror(kReady));
  std::string url = endpoint;
  while (url.ends_with('/')) url.pop_back();
  return std::unique_ptr<Tracer>(new Tracer(url + "/v1/traces"));
}

Tracer::Tracer(std::string url)
    : url_(std::move(url)),
      offset_ns_(system_clock().unix_ms() * 1'000'000 - system_clock().monotonic_ns()),
      thread_([this] { work(); }) {}

Tracer::~Tracer() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

TraceContext Tracer::below(const TraceContext& parent) {
  return {parent ? parent.trace : random_hex(16), random_hex(8)};
}

int64_t Tracer::now_ns() const {
  return system_clock().monotonic_ns() + offset_ns_;
}

void Tracer::add(Span span) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() < kQueueMax) {
      queue_.push_back(std::move(span));
      if (queue_.size() < kBatchMax) return;  // the interval is soon enough
    } else {
      drop(1);
    }
  }
  changed_.notify_all();
}

void Tracer::work() {
  Exporter exporter(url_);
  while (true) {
    std::vector<Span> batch;
    bool last = false;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kInterval, [this] { return ending_ || queue_.size() >= kBatchMax; });
      const size_t n = std::min(queue_.size(), kBatchMax);
      std::move(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(n),
                std::back_inserter(batch));
      queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(n));
      if (batch.empty() && ending_) return;
      last = ending_;
    }
    if (batch.empty() || exporter.send(batch)) continue;
    drop(batch.size());
    if (last) return;  // nobody waits for a collector that is away
  }
}

}  // namespace plinth::server
