#include "server/services.h"

#include <cmath>
#include <utility>

#include "core/json.h"
#include "core/log.h"
#include "core/metrics.h"
#include "server/access.h"
#include "server/tune_spec.h"

namespace plinth::server {

void refuse(const Call& call, const ApiError& error) {
  call.exchange->reply(error_response(error, call.exchange->request().id));
}

bool may_see_model(const Services& services, const store::KeyInfo& key, const std::string& name) {
  if (!may_use_model(key, name)) return false;
  if (!name.starts_with(kTunedPrefix) || is_operator(key)) return true;
  const auto owner = services.jobs.jobs().owner(name);
  return owner && *owner == key.tenant_id;
}

DomainModelPtr find_model(const Services& services, const Call& call, const std::string& name) {
  auto model = may_see_model(services, call.key, name)
                   ? services.models.resolve(name)
                   : Result<DomainModelPtr>(not_found("model {} is not known", name));
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
  count("plinth_tenant_core_seconds_total", usage.core_s, {{"tenant", call.key.tenant}});
  count("plinth_tenant_requests_total", 1, {{"tenant", call.key.tenant}});
  count("plinth_tenant_tokens_total",
        static_cast<double>(usage.prompt_tokens + usage.completion_tokens),
        {{"tenant", call.key.tenant}});
  if (services.settings.log_requests())
    log_info("request {}", to_text({{"id", call.exchange->request().id},
                                    {"tenant", call.key.tenant},
                                    {"key", call.key.prefix},
                                    {"path", call.exchange->request().path},
                                    {"model", bill.model},
                                    {"digest", bill.digest},
                                    {"prompt_tokens", usage.prompt_tokens},
                                    {"cached_tokens", usage.cached_tokens},
                                    {"completion_tokens", usage.completion_tokens},
                                    {"core_seconds", usage.core_s},
                                    {"outcome", bill.outcome}}));
  if (call.admission != nullptr)
    call.admission->take_tokens(usage.prompt_tokens + usage.completion_tokens);
  services.ledger.add({.request_id = call.exchange->request().id,
                       .tenant_id = call.key.tenant_id,
                       .key_id = call.key.id,
                       .model = bill.model,
                       .model_digest = bill.digest,
                       .prompt_tokens = usage.prompt_tokens,
                       .completion_tokens = usage.completion_tokens,
                       .cached_tokens = usage.cached_tokens,
                       .core_us = std::llround(usage.core_s * 1e6),
                       .outcome = bill.outcome},
                      [exchange = call.exchange, done = std::move(done)](const Status& written) {
                        exchange->post([done, written] { done(written); });
                      });
}

}  // namespace plinth::server
