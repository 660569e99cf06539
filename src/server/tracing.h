// Traces in OpenTelemetry's form: spans of requests, sent to a collector (OTLP over HTTP, JSON).
//
// A span holds names and numbers, never a text that a client sent or got. Spans wait in a bounded
// queue and leave in batches from a thread of their own; when the collector is slow or away they
// are dropped and counted (plinth_spans_dropped_total), and no request waits for them.
// Sources: OpenTelemetry Protocol 1.3 (opentelemetry-proto, trace.proto); W3C Trace Context 1.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>

#include "core/json.h"
#include "core/result.h"

namespace plinth::server {

// A place in a trace: 32 and 16 hexadecimal digits. Empty: nothing is traced.
struct TraceContext {
  std::string trace = {};
  std::string span = {};

  explicit operator bool() const { return !trace.empty(); }
};

struct TraceParent {
  TraceContext context;
  bool sampled = false;
};

// A `traceparent` header; nothing for one that is not valid.
std::optional<TraceParent> parse_traceparent(std::string_view header);
std::string to_traceparent(const TraceContext& context);

struct Span {
  std::string name;
  TraceContext context;     // its own
  std::string parent = {};  // span id; empty: the root
  int64_t start_ns = 0;     // since 1970
  int64_t end_ns = 0;
  bool answers = false;  // a request's span: OpenTelemetry's kind "server"
  bool failed = false;
  Json attributes = Json::object();  // texts, integers, booleans
};

class Tracer {
 public:
  // `endpoint` as OTEL_EXPORTER_OTLP_ENDPOINT has it: http://HOST:4318, without /v1/traces.
  static Result<std::unique_ptr<Tracer>> start(const std::string& endpoint);

  // Sends what waits, for at most a second or two.
  ~Tracer();
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

  // Any thread; never blocks.
  void add(Span span);

  // A new place below `parent`, in its trace, or in a new one.
  static TraceContext below(const TraceContext& parent);

  int64_t now_ns() const;  // since 1970, by the monotonic clock: spans never end before they begin

 private:
  explicit Tracer(std::string url);

  void work();

  const std::string url_;
  const int64_t offset_ns_;  // of 1970 in monotonic time
  std::mutex mutex_;         // guards what follows
  std::condition_variable changed_;
  std::deque<Span> queue_;
  bool ending_ = false;
  std::thread thread_;
};

// The body of an export request.
Json otlp_json(std::span<const Span> spans);

}  // namespace plinth::server
