#include "server/operations.h"

#include "core/json.h"
#include "core/log.h"
#include "core/metrics.h"

namespace plinth::server {

void handle_health(const Services& services, const Condition& condition, const Call& call) {
  const auto aliases = services.store.aliases();
  if (!aliases) log_error("health: {}", aliases.error().message);
  const char* status = condition.draining    ? "draining"
                       : !aliases            ? "database unavailable"
                       : !condition.writable ? "database not writable"
                                             : "ok";
  const bool ready = aliases.has_value() && !condition.draining && condition.writable;
  call.exchange->reply(
      {.status = ready ? 200 : 503, .body = to_text({{"status", status}, {"ready", ready}})});
}

void handle_metrics(const Services& services, const Call& call) {
  const engine::EngineStats stats = services.engine.stats();
  const auto gauge = [](const char* name, int64_t value) {
    set_gauge(name, static_cast<double>(value));
  };
  gauge("plinth_engine_waiting", stats.waiting);
  gauge("plinth_engine_running", stats.running);
  gauge("plinth_engine_kv_blocks", stats.kv_blocks);
  gauge("plinth_engine_kv_blocks_free", stats.kv_blocks_free);
  gauge("plinth_engine_steps", stats.steps);
  gauge("plinth_engine_rows", stats.rows);
  gauge("plinth_engine_adapter_rows", stats.adapter_rows);
  gauge("plinth_engine_step_adapters", stats.step_adapters);
  gauge("plinth_engine_prefix_hits_tokens", stats.prefix_hits_tokens);
  gauge("plinth_engine_preemptions", stats.preemptions);
  gauge("plinth_engine_guest_rows", stats.guest_rows);
  set_gauge("plinth_engine_step_seconds", stats.step_seconds);
  set_gauge("plinth_engine_seconds_left", stats.seconds_left);
  gauge("plinth_engine_blocks_copied", stats.blocks_copied);
  gauge("plinth_engine_lookup_tokens", stats.lookup_tokens);
  gauge("plinth_engine_lookup_accepted", stats.lookup_accepted);
  gauge("plinth_engine_memory_bytes", stats.memory_bytes);
  gauge("plinth_engine_adapters_registered", stats.adapters.registered);
  gauge("plinth_engine_adapters_resident", stats.adapters.resident);
  gauge("plinth_engine_adapters_bytes", stats.adapters.resident_bytes);
  gauge("plinth_engine_adapters_budget_bytes", stats.adapters.budget_bytes);
  gauge("plinth_engine_adapters_loads", stats.adapters.loads);
  gauge("plinth_engine_adapters_load_failures", stats.adapters.load_failures);
  gauge("plinth_engine_adapters_evictions", stats.adapters.evictions);
  call.exchange->reply(
      {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics_text()});
}

}  // namespace plinth::server
