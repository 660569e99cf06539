#include "store/database.h"

#include <cstdlib>
#include <system_error>

#include "core/config.h"

namespace plinth::store {
namespace {

Result<std::string> address_of(const Path& home) {
  if (const char* named = std::getenv("PLINTH_DATABASE"); named != nullptr && *named != '\0')
    return std::string(named);
  const Path file = home / "plinth.toml";
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return std::string();
  PLINTH_TRY(const Config config, Config::read(file));
  PLINTH_TRY(std::string address, config.text("database", ""));
  PLINTH_TRY(config.finish());
  return address;
}

}  // namespace

Status Database::run(std::string_view sql, std::initializer_list<Value> values) {
  return each(sql, values, [](const Row&) {});
}

Result<int64_t> Database::insert(std::string_view sql, std::initializer_list<Value> values) {
  int64_t id = 0;
  PLINTH_TRY(each(std::string(sql) + " RETURNING id", values,
                  [&](const Row& row) { id = row.integer(0); }));
  return id;
}

Result<std::unique_ptr<Database>> open_database(const Path& home) {
  PLINTH_TRY(const std::string address, address_of(home));
  if (address.empty()) return open_sqlite(home / "plinth.db");
  if (address.starts_with("postgresql://") || address.starts_with("postgres://"))
    return open_postgres(address);
  // Not shown whole: it may hold a password.
  return invalid("PLINTH_DATABASE, or database in {}: begins with {}, postgresql:// is known",
                 (home / "plinth.toml").string(),
                 address.substr(0, address.find(':')).substr(0, 16));
}

}  // namespace plinth::store
