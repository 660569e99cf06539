// How many documents have a line: 64-bit keys counted in files.
//
// Memory: `memory_bytes` whatever their number. Keys go to files by their upper bits, each of which
// is then sorted by itself; those that occur often enough end in one sorted table, mapped.
#pragma once

#include <cstdint>
#include <vector>

#include "core/file.h"
#include "core/result.h"

namespace plinth::corpus {

class LineCounter {
 public:
  // keys: how many will be added. folder exists and is this counter's own.
  static Result<LineCounter> create(const Path& folder, uint64_t keys, uint64_t memory_bytes);

  Status add(uint64_t key);

  // Writes the table `lines` into the folder: keys that were added count_min times or oftener.
  Status finish(uint32_t count_min);

 private:
  LineCounter(Path folder, uint64_t memory_bytes)
      : folder_(std::move(folder)), memory_bytes_(memory_bytes) {}

  Path part(size_t i) const;

  Path folder_;
  uint64_t memory_bytes_ = 0;
  std::vector<OutputFile> parts_;
};

// The finished table. Any thread may ask.
class LineCounts {
 public:
  static Result<LineCounts> open(const Path& folder);

  // 0: fewer than the counter's count_min.
  uint32_t count(uint64_t key) const;

  bool empty() const { return map_.bytes().empty(); }

 private:
  explicit LineCounts(MappedFile map) : map_(std::move(map)) {}

  MappedFile map_;
};

}  // namespace plinth::corpus
