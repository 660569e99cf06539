// The little of SQLite that the store needs, with errors as values. Private to the store.
//
// Not thread-safe: the store holds its mutex around every use.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "core/file.h"
#include "core/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace plinth::store {

// A bound parameter. The text must live until the call returns.
using Value = std::variant<int64_t, std::string_view>;

// One row of a result, valid inside the callback.
class Row {
 public:
  explicit Row(sqlite3_stmt* statement) : statement_(statement) {}

  int64_t integer(int column) const;
  std::string text(int column) const;  // NULL is empty

 private:
  sqlite3_stmt* statement_;
};

class Database {
 public:
  // WAL, synchronous=FULL, foreign keys on; waits up to `busy_ms` for another writer.
  static Result<Database> open(const Path& path, int busy_ms);

  // One statement. Constraint violations are kAlreadyExists (unique) or kFailedPrecondition.
  Status run(std::string_view sql, std::initializer_list<Value> values = {});
  // One query; `use` is called for each row.
  Status each(std::string_view sql, std::initializer_list<Value> values,
              const std::function<void(const Row&)>& use);
  // Several statements without parameters.
  Status script(std::string_view sql);
  // All of body or nothing. The write lock is taken at the start, so that body never has to retry.
  Status transaction(const std::function<Status()>& body);

  Result<int64_t> integer(std::string_view sql);  // the first column of the first row
  int64_t last_id() const;
  int64_t rows_changed() const;  // by the last statement

 private:
  struct Close {
    void operator()(sqlite3* db) const;
  };

  Database(sqlite3* db, Path path) : db_(db), path_(std::move(path)) {}

  // Of the last call: names the file, and what the system said when it refused to read or write.
  Error error(int code) const;

  std::unique_ptr<sqlite3, Close> db_;
  Path path_;
};

}  // namespace plinth::store
