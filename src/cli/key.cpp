#include "cli/command.h"
#include "core/clock.h"
#include "core/json.h"
#include "store/store.h"

namespace plinth::cli {
namespace {

struct Options {
  std::string tenant = "default";
  std::string label;
  std::string prefix;
};

Status create(const Options& options, const Context& context) {
  PLINTH_TRY(const auto store, store::Store::open(context.home));
  if (const auto known = store->tenant(options.tenant); !known) {
    if (known.error().code != Code::kNotFound) return known.error();
    PLINTH_TRY(store->create_tenant(options.tenant));
  }
  PLINTH_TRY(const auto key, store->create_key(options.tenant, options.label));
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
    rows.push_back({{"prefix", key.prefix},
                    {"tenant", key.tenant},
                    {"label", key.label},
                    {"created", iso_time(key.created_ms)},
                    {"revoked", key.revoked_ms == 0 ? Json() : Json(iso_time(key.revoked_ms))}});
  if (context.json) {
    fmt::print("{}\n", to_text({{"keys", rows}}));
    return {};
  }
  for (const auto& row : rows)
    fmt::print("{}  {:<16} {}  {}\n", row["prefix"].get<std::string>(),
               row["tenant"].get<std::string>(), row["created"].get<std::string>(),
               row["revoked"].is_null() ? "valid" : "revoked");
  return {};
}

Status usage(const Options& options, const Context& context) {
  PLINTH_TRY(const auto store, store::Store::open(context.home));
  store::UsageQuery query;
  query.tenant = options.tenant;
  PLINTH_TRY(const auto totals, store->usage(query));
  Json rows = Json::array();
  for (const auto& total : totals)
    rows.push_back({{"tenant", total.tenant},
                    {"model", total.model},
                    {"requests", total.requests},
                    {"prompt_tokens", total.prompt_tokens},
                    {"completion_tokens", total.completion_tokens},
                    {"cached_tokens", total.cached_tokens}});
  if (context.json) {
    fmt::print("{}\n", to_text({{"usage", rows}}));
    return {};
  }
  fmt::print("{:<16} {:<24} {:>9} {:>12} {:>12} {:>12}\n", "tenant", "model", "requests", "prompt",
             "answer", "cached");
  for (const auto& total : totals)
    fmt::print("{:<16} {:<24} {:>9} {:>12} {:>12} {:>12}\n", total.tenant, total.model,
               total.requests, total.prompt_tokens, total.completion_tokens, total.cached_tokens);
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
  creating.action([options, &context] { return create(*options, context); });

  auto listing = group.add("list", "all keys by prefix", "plinth key list");
  listing.action([&context] { return list(context); });

  auto revoking = group.add("revoke", "end a key at once", "plinth key revoke plinth-3f9a0c5d11e2");
  revoking.option("PREFIX", options->prefix, "as key list shows it", true);
  revoking.action([options, &context]() -> Status {
    PLINTH_TRY(const auto store, store::Store::open(context.home));
    return store->revoke_key(options->prefix);
  });

  auto billing = std::make_shared<Options>();
  billing->tenant.clear();
  auto spending = root.add("usage", "tokens by tenant and model, from the ledger",
                           "plinth usage --tenant finance");
  spending.option("--tenant", billing->tenant, "one tenant (default: all)");
  spending.action([billing, &context] { return usage(*billing, context); });
}

}  // namespace plinth::cli
