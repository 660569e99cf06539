// What the store's source files share.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "store/database.h"
#include "store/store.h"

namespace plinth::store {

struct Store::Impl {
  Impl(Path home_folder, const Clock& wall, Artifacts files, std::unique_ptr<Database> database)
      : home(std::move(home_folder)),
        clock(wall),
        artifacts(std::move(files)),
        owned(std::move(database)),
        db(*owned) {}

  int64_t now_ms() const { return clock.unix_ms(); }

  // A file in two steps: the bytes go first, so that a row never names an artifact that is not
  // there.
  Result<FileInfo> keep_bytes(int64_t tenant_id, std::string_view filename,
                              std::string_view purpose, std::string_view bytes) const;
  // Under the mutex.
  Status insert_file(const FileInfo& file);
  Status update_batch(const Batch& batch, std::string_view server);

  Path home;
  const Clock& clock;
  Artifacts artifacts;
  std::mutex mutex;  // guards db
  std::unique_ptr<Database> owned;
  Database& db;
};

}  // namespace plinth::store
