#include "server/audited_exchange.h"

#include <utility>

#include "core/log.h"
#include "server/errors.h"

namespace plinth::server {
namespace {

constexpr size_t kDetailMax = 4096;
constexpr int kForbidden = 403;

class AuditedExchange : public Exchange {
 public:
  AuditedExchange(ExchangePtr inner, store::AuditLog& audit, store::AuditEntry entry, bool always)
      : inner_(std::move(inner)), audit_(audit), entry_(std::move(entry)), always_(always) {}

  const HttpRequest& request() const override { return inner_->request(); }

  void add_headers(Headers headers) override { inner_->add_headers(std::move(headers)); }

  void reply(HttpResponse response) override {
    if (always_ || response.status == kForbidden) {
      entry_.status = response.status;
      const Status written = audit_.append(std::move(entry_));
      if (!written) {
        log_error("the audit log, request {}: {}", request().id, written.error().message);
        return inner_->reply(
            error_response({.error = not_written("the audit log", written.error())}, request().id));
      }
    }
    inner_->reply(std::move(response));
  }

  void begin_stream(HttpResponse response) override { inner_->begin_stream(std::move(response)); }

  void write(std::string_view bytes) override { inner_->write(bytes); }

  void end() override { inner_->end(); }

  void on_gone(std::function<void()> gone) override { inner_->on_gone(std::move(gone)); }

  void on_cut(std::function<void()> cut) override { inner_->on_cut(std::move(cut)); }

  void every(int interval_ms, std::function<void()> tick) override {
    inner_->every(interval_ms, std::move(tick));
  }

  void post(std::function<void()> work) override { inner_->post(std::move(work)); }

 private:
  ExchangePtr inner_;
  store::AuditLog& audit_;
  store::AuditEntry entry_;
  bool always_;
};

}  // namespace

ExchangePtr audited(const Route& route, const Call& call, store::AuditLog& audit) {
  const HttpRequest& request = call.exchange->request();
  const bool changes = route.method != "GET" && route.action != Action::kInfer;
  if (!changes && may(call.key, route.action)) return call.exchange;
  // Uploads are content; what else changes something is small and holds no secret.
  const bool told = route.action != Action::kFiles && request.body.size() <= kDetailMax;
  return std::make_shared<AuditedExchange>(
      call.exchange, audit,
      store::AuditEntry{.actor = call.key.prefix,
                        .tenant = call.key.tenant,
                        .action = request.method + " " + request.path,
                        .detail = told ? request.body : "",
                        .request_id = request.id},
      changes);
}

}  // namespace plinth::server
