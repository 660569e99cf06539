// What the store's source files share.
#pragma once

#include <cstdint>
#include <mutex>

#include "store/sqlite.h"
#include "store/store.h"

namespace plinth::store {

struct Store::Impl {
  Impl(Path home_folder, const Clock& wall, Artifacts files, Database database)
      : home(std::move(home_folder)),
        clock(wall),
        artifacts(std::move(files)),
        db(std::move(database)) {}

  int64_t now_ms() const { return clock.unix_ms(); }

  Path home;
  const Clock& clock;
  Artifacts artifacts;
  std::mutex mutex;  // guards db
  Database db;
};

}  // namespace plinth::store
