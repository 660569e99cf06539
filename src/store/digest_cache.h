// SHA-256 digests of large files that seldom change, remembered beside their size, times and
// inodes, as version control tools do.
#pragma once

#include <optional>
#include <string>

#include "core/file.h"

namespace plinth::store {

// What tells that a file, or the weight files of a folder, were not touched: name, size, inode, and
// the times of their last change, in nanoseconds. Empty where they can't be seen.
std::string file_stamp(const Path& path);

// One small file per path, written atomically; any number of processes may share it. What can't be
// read or written is as if it were not there: the digest is then computed again.
class DigestCache {
 public:
  explicit DigestCache(Path folder) : folder_(std::move(folder)) {}

  std::optional<std::string> find(const Path& path, const std::string& stamp) const;
  void put(const Path& path, const std::string& stamp, const std::string& digest) const;

 private:
  Path entry(const Path& path) const;

  Path folder_;
};

}  // namespace plinth::store
