#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include <sqlite3.h>

#include "store/database.h"

namespace plinth::store {
namespace {

constexpr int kBusyMs = 5000;  // what a writer waits for another one

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

Code code_of(int extended) {
  if (extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY)
    return Code::kAlreadyExists;
  switch (extended & 0xff) {
    case SQLITE_CONSTRAINT:
      return Code::kFailedPrecondition;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Code::kUnavailable;
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return Code::kResourceExhausted;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Code::kDataLoss;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return Code::kPermissionDenied;
    default:
      return Code::kInternal;
  }
}

int bind(sqlite3_stmt* statement, int index, const Value& value) {
  if (const auto* number = std::get_if<int64_t>(&value))
    return sqlite3_bind_int64(statement, index, *number);
  const auto text = std::get<std::string_view>(value);
  // A null pointer would bind NULL; empty text is text.
  return sqlite3_bind_text64(statement, index, text.empty() ? "" : text.data(), text.size(),
                             SQLITE_STATIC, SQLITE_UTF8);
}

class SqliteRow final : public Row {
 public:
  explicit SqliteRow(sqlite3_stmt* statement) : statement_(statement) {}

  int64_t integer(int column) const override { return sqlite3_column_int64(statement_, column); }

  std::string text(int column) const override {
    const unsigned char* bytes = sqlite3_column_text(statement_, column);
    if (bytes == nullptr) return {};
    return {reinterpret_cast<const char*>(bytes),
            static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
  }

 private:
  sqlite3_stmt* statement_;
};

class Sqlite final : public Database {
 public:
  Sqlite(sqlite3* db, Path path) : db_(db), path_(std::move(path)) {}

  // Of the last call: names the file, and what the system said when it refused to read or write.
  Error error(int code) const;

  Status each(std::string_view sql, std::initializer_list<Value> values,
              const std::function<void(const Row&)>& use) override;
  Status script(std::string_view sql) override;

  Status define(std::string_view sql) override { return script(sql); }

  Status transaction(const std::function<Status()>& body) override;

  Result<int64_t> version() override;

  Status set_version(int64_t version) override {
    return script(fmt::format("PRAGMA user_version = {}", version));
  }

  int64_t rows_changed() const override { return sqlite3_changes64(db_.get()); }

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };

  std::unique_ptr<sqlite3, Close> db_;
  Path path_;
};

Error Sqlite::error(int code) const {
  // SQLite says "disk I/O error" for whatever the system refused: the system's own word says why.
  const int refused = (code & 0xff) == SQLITE_IOERR ? sqlite3_system_errno(db_.get()) : 0;
  const bool full = refused == ENOSPC || refused == EDQUOT || refused == EFBIG;
  return make_error(full ? Code::kResourceExhausted : code_of(code), "database {}: {}{}{}",
                    path_.string(), sqlite3_errmsg(db_.get()), refused != 0 ? ": " : "",
                    refused != 0 ? std::generic_category().message(refused) : "");
}

Status Sqlite::each(std::string_view sql, std::initializer_list<Value> values,
                    const std::function<void(const Row&)>& use) {
  sqlite3_stmt* raw = nullptr;
  int code = sqlite3_prepare_v2(db_.get(), sql.data(), static_cast<int>(sql.size()), &raw, nullptr);
  const Statement statement(raw);
  if (code != SQLITE_OK) return error(code);
  int index = 0;
  for (const Value& value : values)
    if (code = bind(raw, ++index, value); code != SQLITE_OK) return error(code);
  while ((code = sqlite3_step(raw)) == SQLITE_ROW) use(SqliteRow(raw));
  if (code != SQLITE_DONE) return error(sqlite3_extended_errcode(db_.get()));
  return {};
}

Status Sqlite::script(std::string_view sql) {
  const int code = sqlite3_exec(db_.get(), std::string(sql).c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error(sqlite3_extended_errcode(db_.get()));
  return {};
}

Status Sqlite::transaction(const std::function<Status()>& body) {
  PLINTH_TRY(run("BEGIN IMMEDIATE"));
  Status done = body();
  if (done) done = run("COMMIT");
  // After some failures (disk full) SQLite has rolled back by itself; a second ROLLBACK is an error
  // that means nothing.
  if (!done && sqlite3_get_autocommit(db_.get()) == 0) (void)run("ROLLBACK");
  return done;
}

Result<int64_t> Sqlite::version() {
  int64_t value = 0;
  PLINTH_TRY(each("PRAGMA user_version", {}, [&](const Row& row) { value = row.integer(0); }));
  return value;
}

}  // namespace

Result<std::unique_ptr<Database>> open_sqlite(const Path& path) {
  // A database that is made now is its owner's alone: it holds hashes of keys. SQLite gives -wal
  // and -shm the mode of the file. One that exists is not opened here: closing it would end the
  // locks that another connection of this process holds. Errors are for SQLite to name.
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file >= 0) ::close(file);
  sqlite3* raw = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &raw,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  auto db = std::make_unique<Sqlite>(raw, path);  // also on failure: the handle holds the message
  if (code != SQLITE_OK) {
    if (raw == nullptr) return internal_error("{}: {}", path.string(), sqlite3_errstr(code));
    return db->error(code);
  }
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, kBusyMs);
  PLINTH_TRY(db->script(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"));
  return std::unique_ptr<Database>(std::move(db));
}

}  // namespace plinth::store
