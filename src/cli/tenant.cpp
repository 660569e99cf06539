// plinth tenant, plinth price: who may use how much, and what it costs.
#include "cli/audit.h"
#include "cli/command.h"
#include "core/clock.h"
#include "core/json.h"
#include "store/store.h"

namespace plinth::cli {
namespace {

constexpr int64_t kAsItIs = -1;
constexpr int64_t kLimitMax = int64_t{1} << 50;

struct Options {
  std::string name;
  store::Quota quota = {.requests_per_minute = kAsItIs,
                        .tokens_per_minute = kAsItIs,
                        .requests_per_month = kAsItIs,
                        .tokens_per_month = kAsItIs,
                        .concurrent = kAsItIs,
                        .storage_bytes = kAsItIs};
  double prompt = 0;
  double cached = 0;
  double completion = 0;
  double trained = 0;
};

Status create(const Options& options, const Context& context) {
  PLINTH_TRY(const auto store, store::Store::open(context.home));
  PLINTH_TRY(const auto tenant, store->create_tenant(options.name));
  PLINTH_TRY(note_in_audit(context, "tenant create", {{"name", tenant.name}}));
  if (context.json) fmt::print("{}\n", to_text({{"tenant", tenant.name}}));
  return {};
}

Status list(const Context& context) {
  PLINTH_TRY(const auto store, store::Store::open(context.home));
  PLINTH_TRY(const auto tenants, store->tenants());
  Json rows = Json::array();
  for (const auto& tenant : tenants) {
    rows.push_back({{"tenant", tenant.name}, {"created", iso_time(tenant.created_ms)}});
    if (!context.json) fmt::print("{:<24} {}\n", tenant.name, iso_time(tenant.created_ms));
  }
  if (context.json) fmt::print("{}\n", to_text({{"tenants", rows}}));
  return {};
}

Status quota(const Options& options, const Context& context) {
  PLINTH_TRY(const auto store, store::Store::open(context.home));
  PLINTH_TRY(const auto tenant, store->tenant(options.name));
  PLINTH_TRY(store::Quota quota, store->quota(tenant.id));
  const store::Quota before = quota;
  const auto set = [&](int64_t store::Quota::*limit) {
    if (options.quota.*limit != kAsItIs) quota.*limit = options.quota.*limit;
  };
  using store::Quota;
  for (const auto limit :
       {&Quota::requests_per_minute, &Quota::tokens_per_minute, &Quota::requests_per_month,
        &Quota::tokens_per_month, &Quota::concurrent, &Quota::storage_bytes})
    set(limit);
  const Json json = {{"requests_per_minute", quota.requests_per_minute},
                     {"tokens_per_minute", quota.tokens_per_minute},
                     {"requests_per_month", quota.requests_per_month},
                     {"tokens_per_month", quota.tokens_per_month},
                     {"concurrent", quota.concurrent},
                     {"storage_bytes", quota.storage_bytes}};
  if (quota != before) {
    PLINTH_TRY(store->set_quota(options.name, quota));
    PLINTH_TRY(note_in_audit(context, "tenant quota", {{"name", options.name}, {"quota", json}}));
  }
  if (context.json) {
    fmt::print("{}\n", to_text({{"tenant", options.name}, {"quota", json}}));
    return {};
  }
  for (const auto& [name, limit] : json.items())
    fmt::print("{:<20} {}\n", name, limit == 0 ? "no limit" : to_text(limit));
  return {};
}

Status set_price(const Options& options, const Context& context) {
  PLINTH_TRY(const auto store, store::Store::open(context.home));
  const auto millionths = [](double units) { return static_cast<int64_t>(units * 1e6 + 0.5); };
  PLINTH_TRY(store->set_price({.model = options.name,
                               .prompt = millionths(options.prompt),
                               .cached = millionths(options.cached),
                               .completion = millionths(options.completion),
                               .trained = millionths(options.trained)}));
  return note_in_audit(context, "price set",
                       {{"model", options.name},
                        {"prompt", options.prompt},
                        {"cached", options.cached},
                        {"completion", options.completion},
                        {"trained", options.trained}});
}

Status list_prices(const Context& context) {
  PLINTH_TRY(const auto store, store::Store::open(context.home));
  PLINTH_TRY(const auto prices, store->prices());
  const auto units = [](int64_t millionths) { return static_cast<double>(millionths) / 1e6; };
  Json rows = Json::array();
  if (!context.json)
    fmt::print("{:<24} {:>12} {:>12} {:>12} {:>12}\n", "model", "prompt", "cached", "answer",
               "trained");
  for (const auto& price : prices) {
    rows.push_back({{"model", price.model},
                    {"prompt", units(price.prompt)},
                    {"cached", units(price.cached)},
                    {"completion", units(price.completion)},
                    {"trained", units(price.trained)}});
    if (!context.json)
      fmt::print("{:<24} {:>12.6f} {:>12.6f} {:>12.6f} {:>12.6f}\n", price.model,
                 units(price.prompt), units(price.cached), units(price.completion),
                 units(price.trained));
  }
  if (context.json) fmt::print("{}\n", to_text({{"prices", rows}}));
  return {};
}

}  // namespace

void add_tenant(Command& root, const Context& context) {
  auto options = std::make_shared<Options>();
  auto group = root.add("tenant", "tenants: create, list, quota", "plinth tenant create finance");
  auto creating = group.add("create", "a new tenant", "plinth tenant create finance");
  creating.option("NAME", options->name, "its name", true);
  creating.action([options, &context] { return create(*options, context); });
  auto listing = group.add("list", "all tenants", "plinth tenant list");
  listing.action([&context] { return list(context); });

  auto limiting = group.add("quota", "show a tenant's limits, or set some of them; 0: no limit",
                            "plinth tenant quota finance --requests-per-minute 60");
  limiting.option("NAME", options->name, "whose", true);
  const auto limit = [&](const char* name, int64_t& value, const char* help) {
    limiting.option(name, value, help, kAsItIs, kLimitMax);
  };
  limit("--requests-per-minute", options->quota.requests_per_minute, "requests a minute");
  limit("--tokens-per-minute", options->quota.tokens_per_minute, "tokens a minute");
  limit("--requests-per-month", options->quota.requests_per_month, "requests a month (UTC)");
  limit("--tokens-per-month", options->quota.tokens_per_month, "tokens a month (UTC)");
  limit("--concurrent", options->quota.concurrent, "requests at one time");
  limit("--storage-bytes", options->quota.storage_bytes, "bytes of files");
  limiting.action([options, &context] { return quota(*options, context); });
}

void add_price(Command& root, const Context& context) {
  constexpr double kPriceMax = 1e9;
  auto options = std::make_shared<Options>();
  auto group = root.add("price", "prices of a million tokens: set, list",
                        "plinth price set law --prompt 2 --completion 8");
  auto setting = group.add("set", "a model's price; what is not named is free",
                           "plinth price set law --prompt 2 --cached 0.5 --completion 8");
  setting.option("MODEL", options->name, "a name, or * for all models without their own", true);
  setting.option("--prompt", options->prompt, "a million prompt tokens", 0, kPriceMax);
  setting.option("--cached", options->cached, "of them, from the cache", 0, kPriceMax);
  setting.option("--completion", options->completion, "a million tokens of answers", 0, kPriceMax);
  setting.option("--trained", options->trained, "a million tokens that tuning jobs read", 0,
                 kPriceMax);
  setting.action([options, &context] { return set_price(*options, context); });
  auto listing = group.add("list", "all prices", "plinth price list");
  listing.action([&context] { return list_prices(context); });
}

}  // namespace plinth::cli
