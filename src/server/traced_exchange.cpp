#include "server/traced_exchange.h"

#include <utility>

namespace plinth::server {
namespace {

constexpr int kServerError = 500;

class TracedExchange : public Exchange {
 public:
  TracedExchange(ExchangePtr inner, Tracer& tracer, Span span)
      : inner_(std::move(inner)), tracer_(tracer), span_(std::move(span)) {}

  // Whoever answered has let go without an answer: there was nobody to give it to.
  ~TracedExchange() override {
    span_.attributes["plinth.client_gone"] = true;
    finish(0);
  }

  TracedExchange(const TracedExchange&) = delete;
  TracedExchange& operator=(const TracedExchange&) = delete;

  const HttpRequest& request() const override { return inner_->request(); }

  void add_headers(Headers headers) override { inner_->add_headers(std::move(headers)); }

  void reply(HttpResponse response) override {
    finish(response.status);
    inner_->reply(std::move(response));
  }

  void begin_stream(HttpResponse response) override {
    status_ = response.status;
    inner_->begin_stream(std::move(response));
  }

  void write(std::string_view bytes) override { inner_->write(bytes); }

  void end() override {
    finish(status_);
    inner_->end();
  }

  void on_gone(std::function<void()> gone) override { inner_->on_gone(std::move(gone)); }

  void on_cut(std::function<void()> cut) override { inner_->on_cut(std::move(cut)); }

  void every(int interval_ms, std::function<void()> tick) override {
    inner_->every(interval_ms, std::move(tick));
  }

  void post(std::function<void()> work) override { inner_->post(std::move(work)); }

 private:
  void finish(int status) {
    if (std::exchange(finished_, true)) return;
    span_.attributes["http.response.status_code"] = status;
    span_.failed = status >= kServerError;
    span_.end_ns = tracer_.now_ns();
    tracer_.add(std::move(span_));
  }

  ExchangePtr inner_;
  Tracer& tracer_;
  Span span_;
  int status_ = 0;
  bool finished_ = false;
};

}  // namespace

ExchangePtr traced(Tracer* tracer, const std::string& route, Call& call) {
  if (tracer == nullptr) return call.exchange;
  const HttpRequest& request = call.exchange->request();
  const auto parent = parse_traceparent(request.traceparent);
  if (parent && !parent->sampled) return call.exchange;
  const TraceContext above = parent ? parent->context : TraceContext();
  call.trace = Tracer::below(above);
  Span span{.name = request.method + " " + route,
            .context = call.trace,
            .parent = above.span,
            .start_ns = tracer->now_ns(),
            .answers = true,
            .attributes = {{"http.request.method", request.method},
                           {"http.route", route},
                           {"plinth.request_id", request.id}}};
  call.exchange->add_headers({{"traceparent", to_traceparent(call.trace)}});
  return std::make_shared<TracedExchange>(call.exchange, *tracer, std::move(span));
}

}  // namespace plinth::server
