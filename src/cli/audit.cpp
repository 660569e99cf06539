// plinth audit: who did what, and whether the chain of it is whole.
#include "cli/audit.h"

#include <pwd.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/json.h"
#include "server/audit_json.h"
#include "store/audit.h"
#include "store/store.h"

namespace plinth::cli {
namespace {

constexpr int64_t kEntries = 50;

std::string user_name() {
  const passwd* user = getpwuid(geteuid());
  return user != nullptr ? user->pw_name : std::to_string(geteuid());
}

Result<std::unique_ptr<store::AuditLog>> open_log(const Context& context) {
  PLINTH_TRY(store::Store::open(context.home));  // brings an older database up to date
  return store::AuditLog::open(context.home);
}

Status list(int64_t limit, const Context& context) {
  PLINTH_TRY(const auto log, open_log(context));
  PLINTH_TRY(const auto entries, log->entries(limit));
  Json rows = Json::array();
  for (const store::AuditEntry& entry : entries) {
    rows.push_back(server::audit_json(entry));
    if (!context.json)
      fmt::print("{:>6} {} {:<22} {:>3} {} {}\n", entry.id, iso_time(entry.at_ms), entry.actor,
                 entry.status == 0 ? "" : std::to_string(entry.status), entry.action, entry.detail);
  }
  if (context.json) fmt::print("{}\n", to_text({{"entries", rows}}));
  return {};
}

Status verify(const Context& context) {
  PLINTH_TRY(const auto log, open_log(context));
  PLINTH_TRY(const auto check, log->verify());
  if (context.json)
    fmt::print("{}\n", to_text({{"entries", check.entries},
                                {"last_hash", check.last_hash},
                                {"broken_at", check.broken_at}}));
  if (check.broken_at != 0)
    return make_error(Code::kDataLoss,
                      "the audit log is not what was written: entry {} of {} "
                      "does not fit",
                      check.broken_at, check.entries);
  if (!context.json)
    fmt::print("{} entries, whole; the last is {}\n", check.entries, check.last_hash);
  return {};
}

}  // namespace

Status note_in_audit(const Context& context, std::string_view action, const Json& detail) {
  PLINTH_TRY(const auto log, store::AuditLog::open(context.home));
  return log->append({.actor = "command line: " + user_name(),
                      .action = std::string(action),
                      .detail = to_text(detail)});
}

void add_audit(Command& root, const Context& context) {
  auto group = root.add("audit", "who did what: list, verify", "plinth audit verify");
  auto limit = std::make_shared<int64_t>(kEntries);
  auto listing = group.add("list", "the newest entries", "plinth audit list --limit 100");
  listing.option("--limit", *limit, "how many", 1, 1'000'000);
  listing.action([limit, &context] { return list(*limit, context); });
  auto verifying = group.add("verify", "checks every entry against the chain of hashes",
                             "plinth audit verify --json");
  verifying.action([&context] { return verify(context); });
}

}  // namespace plinth::cli
