// Shards: JSON Lines in Zstandard frames, NAME-00000.jsonl.zst, NAME-00001.jsonl.zst, ...
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"
#include "core/result.h"

namespace plinth::corpus {

// Writes lines in order; a new shard begins when one holds `bytes_max` uncompressed. The bytes
// depend on the lines only. At least one shard is written, if an empty one.
class ShardWriter {
 public:
  static Result<ShardWriter> create(const Path& folder, std::string name,
                                    uint64_t bytes_max = uint64_t{256} << 20);

  ShardWriter(ShardWriter&&) noexcept;
  ShardWriter& operator=(ShardWriter&&) noexcept;
  ~ShardWriter();

  Status write_line(std::string_view line);
  // Ends the last shard; the names of all of them.
  Result<std::vector<std::string>> close();

 private:
  struct Impl;
  explicit ShardWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Calls body(line) for every line of the shards NAME-*.jsonl.zst in order; stops at the first error
// that body returns. Lines longer than 1 GiB and damaged frames are kDataLoss.
Status read_shards(const Path& folder, std::string_view name,
                   const std::function<Status(std::string_view line)>& body);

}  // namespace plinth::corpus
