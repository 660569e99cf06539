#include <algorithm>

#include "cli/audit.h"
#include "cli/command.h"
#include "cli/names.h"
#include "core/clock.h"
#include "core/json.h"
#include "server/access.h"
#include "server/quotas.h"
#include "server/statement.h"
#include "store/store.h"

namespace plinth::cli {
namespace {

struct Options {
  std::string tenant = "default";
  std::string label;
  std::string prefix;
  std::string role = "developer";
  std::string models;   // separated by commas
  std::string actions;  // likewise
  int64_t expires_days = 0;
  std::string month;
  bool csv = false;
};

Status create(const Options& options, const Context& context) {
  PLINTH_TRY(const auto store, store::Store::open(context.home));
  if (const auto known = store->tenant(options.tenant); !known) {
    if (known.error().code != Code::kNotFound) return known.error();
    PLINTH_TRY(store->create_tenant(options.tenant));
  }
  store::KeyScope scope{.role = options.role,
                        .models = split_names(options.models),
                        .actions = split_names(options.actions)};
  if (options.expires_days > 0)
    scope.expires_ms = system_clock().unix_ms() + options.expires_days * 24 * 3600 * 1000;
  PLINTH_TRY(server::check_scope(scope));
  PLINTH_TRY(const auto key, store->create_key(options.tenant, options.label, scope));
  PLINTH_TRY(note_in_audit(
      context, "key create",
      {{"prefix", key.info.prefix}, {"tenant", options.tenant}, {"role", options.role}}));
  if (context.json)
    fmt::print(
        "{}\n",
        to_text({{"key", key.secret}, {"prefix", key.info.prefix}, {"tenant", options.tenant}}));
  else
    fmt::print("{}\n", key.secret);
  if (!context.quiet) fmt::print(stderr, "shown once: keep it now\n");
  return {};
}

Status list(const Context& context) {
  PLINTH_TRY(const auto store, store::Store::open(context.home));
  PLINTH_TRY(const auto keys, store->keys());
  Json rows = Json::array();
  for (const auto& key : keys)
    rows.push_back(
        {{"prefix", key.prefix},
         {"tenant", key.tenant},
         {"label", key.label},
         {"role", key.scope.role},
         {"models", key.scope.models},
         {"actions", key.scope.actions},
         {"expires", key.scope.expires_ms == 0 ? Json() : Json(iso_time(key.scope.expires_ms))},
         {"created", iso_time(key.created_ms)},
         {"revoked", key.revoked_ms == 0 ? Json() : Json(iso_time(key.revoked_ms))}});
  if (context.json) {
    fmt::print("{}\n", to_text({{"keys", rows}}));
    return {};
  }
  for (const auto& row : rows)
    fmt::print("{}  {:<16} {:<9} {}  {}\n", row["prefix"].get<std::string>(),
               row["tenant"].get<std::string>(), row["role"].get<std::string>(),
               row["created"].get<std::string>(), row["revoked"].is_null() ? "valid" : "revoked");
  return {};
}

Status usage(const Options& options, const Context& context) {
  PLINTH_TRY(const auto store, store::Store::open(context.home));
  store::UsageQuery query;
  query.tenant = options.tenant;
  if (!options.month.empty()) {
    const auto month = server::month_of(options.month);
    if (!month) return invalid("month {}: is no month, 2026-11 is one", options.month);
    query.from_ms = month->first;
    query.until_ms = month->second;
  }
  PLINTH_TRY(const auto statement, store->statement(query));
  if (options.csv) {
    fmt::print("{}",
               server::statement_csv(options.month.empty() ? "all" : options.month, statement));
    return {};
  }
  Json rows = Json::array();
  for (const auto& [total, price, cost] : statement)
    rows.push_back({{"cost", static_cast<double>(cost) / 1e6},
                    {"tenant", total.tenant},
                    {"model", total.model},
                    {"requests", total.requests},
                    {"prompt_tokens", total.prompt_tokens},
                    {"completion_tokens", total.completion_tokens},
                    {"cached_tokens", total.cached_tokens},
                    {"trained_tokens", total.trained_tokens},
                    {"core_seconds", static_cast<double>(total.core_us) / 1e6}});
  if (context.json) {
    fmt::print("{}\n", to_text({{"usage", rows}}));
    return {};
  }
  fmt::print("{:<16} {:<24} {:>9} {:>12} {:>12} {:>12} {:>12} {:>9} {:>12}\n", "tenant", "model",
             "requests", "prompt", "answer", "cached", "trained", "core s", "cost");
  for (const auto& [total, price, cost] : statement)
    fmt::print("{:<16} {:<24} {:>9} {:>12} {:>12} {:>12} {:>12} {:>9.1f} {:>12.6f}\n", total.tenant,
               total.model, total.requests, total.prompt_tokens, total.completion_tokens,
               total.cached_tokens, total.trained_tokens, static_cast<double>(total.core_us) / 1e6,
               static_cast<double>(cost) / 1e6);
  return {};
}

}  // namespace

void add_key(Command& root, const Context& context) {
  auto options = std::make_shared<Options>();
  auto group =
      root.add("key", "API keys: create, list, revoke", "plinth key create --tenant finance");

  auto creating =
      group.add("create", "a new key, shown once", "plinth key create --tenant finance --json");
  creating.option("--tenant", options->tenant, "whose key; created when new");
  creating.option("--label", options->label, "a note for people");
  creating.option("--role", options->role, "operator, owner, developer, viewer or billing");
  creating.option("--models", options->models, "only these, separated by commas (default: all)");
  creating.option("--actions", options->actions,
                  "of the role's only these: infer, models, files, tune, usage, keys, admin");
  creating.option("--expires-days", options->expires_days, "0: never", 0, 36500);
  creating.action([options, &context] { return create(*options, context); });

  auto listing = group.add("list", "all keys by prefix", "plinth key list");
  listing.action([&context] { return list(context); });

  auto revoking = group.add("revoke", "end a key at once", "plinth key revoke plinth-3f9a0c5d11e2");
  revoking.option("PREFIX", options->prefix, "as key list shows it", true);
  revoking.action([options, &context]() -> Status {
    PLINTH_TRY(const auto store, store::Store::open(context.home));
    PLINTH_TRY(store->revoke_key(options->prefix));
    return note_in_audit(context, "key revoke", {{"prefix", options->prefix}});
  });

  auto billing = std::make_shared<Options>();
  billing->tenant.clear();
  auto spending = root.add("usage", "tokens and cost by tenant and model, from the ledger",
                           "plinth usage --tenant finance");
  spending.option("--tenant", billing->tenant, "one tenant (default: all)");
  spending.option("--month", billing->month, "one month (UTC), as 2026-11 (default: all of time)");
  spending.flag("--csv", billing->csv, "a statement for spreadsheets");
  spending.action([billing, &context] { return usage(*billing, context); });
}

}  // namespace plinth::cli
