#include "server/services.h"

#include <utility>

#include "core/metrics.h"

namespace plinth::server {

void refuse(const Call& call, const ApiError& error) {
  call.exchange->reply(error_response(error, call.exchange->request().id));
}

DomainModelPtr find_model(const Services& services, const Call& call, const std::string& name) {
  auto model = services.models.resolve(name);
  if (model) return *std::move(model);
  const bool unknown = model.error().code == Code::kNotFound;
  refuse(call, {.error = model.error(),
                .param = unknown ? "model" : "",
                .code = unknown ? "model_not_found" : ""});
  return nullptr;
}

void bill(const Services& services, const Call& call, const Bill& bill, LedgerWriter::Done done) {
  const engine::Usage& usage = bill.usage;
  const auto tokens = [&](const char* kind, int64_t n) {
    count("plinth_tokens_total", static_cast<double>(n), {{"kind", kind}});
  };
  tokens("prompt", usage.prompt_tokens);
  tokens("completion", usage.completion_tokens);
  tokens("cached", usage.cached_tokens);
  count("plinth_answers_total", 1, {{"outcome", bill.outcome}});
  services.ledger.add({.request_id = call.exchange->request().id,
                       .tenant_id = call.key.tenant_id,
                       .key_id = call.key.id,
                       .model = bill.model,
                       .model_digest = bill.digest,
                       .prompt_tokens = usage.prompt_tokens,
                       .completion_tokens = usage.completion_tokens,
                       .cached_tokens = usage.cached_tokens,
                       .outcome = bill.outcome},
                      [exchange = call.exchange, done = std::move(done)](const Status& written) {
                        exchange->post([done, written] { done(written); });
                      });
}

}  // namespace plinth::server
