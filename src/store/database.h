// SQL with errors as values, and the two databases that carry it out: SQLite (sqlite.cpp) and
// PostgreSQL (postgres.cpp). Private to the store.
//
// There is one text of every statement. It keeps to what both databases read: parameters are ? or
// ?1 (the latter may be repeated), ids of new rows come back through RETURNING, ON CONFLICT and
// CASE take the place of each side's own words. What can't be said in one way is a member here
// (versions, the lock of a transaction) or a word of the migrations that postgres.cpp translates.
//
// Not thread-safe: whoever has one holds a mutex around every use.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "core/file.h"
#include "core/result.h"

namespace plinth::store {

// A bound parameter. The text must live until the call returns.
using Value = std::variant<int64_t, std::string_view>;

// One row of a result, valid inside the callback.
class Row {
 public:
  virtual int64_t integer(int column) const = 0;
  virtual std::string text(int column) const = 0;  // NULL is empty

 protected:
  ~Row() = default;
};

class Database {
 public:
  virtual ~Database() = default;

  // One query; `use` is called for each row, and asks nothing of the database itself. Constraint
  // violations are kAlreadyExists (unique) or kFailedPrecondition; a database that is away or busy
  // is kUnavailable, and the next call tries again.
  virtual Status each(std::string_view sql, std::initializer_list<Value> values,
                      const std::function<void(const Row&)>& use) = 0;
  // Several statements without parameters.
  virtual Status script(std::string_view sql) = 0;
  // A step of the migrations (migrations.h), in the words of SQLite.
  virtual Status define(std::string_view sql) = 0;
  // All of body or nothing. One transaction at a time among all connections: the lock is taken at
  // the start, so that body never has to retry.
  virtual Status transaction(const std::function<Status()>& body) = 0;

  // The number of steps that migrations have taken; set inside a transaction.
  virtual Result<int64_t> version() = 0;
  virtual Status set_version(int64_t version) = 0;

  virtual int64_t rows_changed() const = 0;  // by the last statement

  // One statement without rows.
  Status run(std::string_view sql, std::initializer_list<Value> values = {});
  // One INSERT without its end, which becomes RETURNING id; the new row's id.
  Result<int64_t> insert(std::string_view sql, std::initializer_list<Value> values);
};

// The database of a home: where $PLINTH_DATABASE says, else `database` in HOME/plinth.toml, else
// HOME/plinth.db. An address of PostgreSQL is postgresql://USER@HOST/NAME, as its tools take it.
Result<std::unique_ptr<Database>> open_database(const Path& home);

// WAL, synchronous=FULL, foreign keys on; waits a few seconds for another writer.
Result<std::unique_ptr<Database>> open_sqlite(const Path& path);

// Connects, and connects again whenever the server was away. Locks are waited for a few seconds.
Result<std::unique_ptr<Database>> open_postgres(const std::string& address);

}  // namespace plinth::store
