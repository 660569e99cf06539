// A file on its way from the hub: TARGET.part, hashed while it grows, renamed to TARGET once it is
// what the listing promised.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/file.h"
#include "core/hash.h"
#include "core/result.h"
#include "hub/listing.h"

namespace plinth::hub {

// The digest that the listing gives for a file: SHA-256, or the git blob's SHA-1, or none.
class Check {
 public:
  explicit Check(const File& expected);

  void update(std::string_view bytes);
  // kDataLoss naming the file, what was expected and what came. Ends the digest.
  Status verify(std::string_view name);

 private:
  const File* expected_;
  std::optional<Sha256> sha256_;
  std::optional<Sha1> git_sha1_;
};

// Whether `target` is there with the right size and digest. Reads it whole.
bool is_complete(const Path& target, const File& expected);

class PartFile {
 public:
  // Goes on behind what an earlier run left. Makes the folders above. `expected` outlives this.
  static Result<PartFile> open(const Path& target, const File& expected);

  int64_t size() const { return size_; }

  // Throws away what there is.
  Status restart();

  // Appends; the bytes are the system's on return (they survive the end of this process).
  // kDataLoss beyond the expected size.
  Status write(std::string_view bytes);

  // Checks the size and the digest, makes the file durable, gives it its name. A wrong file is
  // removed.
  Status finish();

 private:
  PartFile(Path target, const File& expected, OutputFile out, Check check, int64_t size)
      : target_(std::move(target)),
        expected_(&expected),
        out_(std::move(out)),
        check_(std::move(check)),
        size_(size) {}

  Path target_;
  const File* expected_;
  OutputFile out_;
  Check check_;
  int64_t size_;
};

// TARGET.part
Path part_path(const Path& target);

// Bytes of TARGET.part; 0 when there is none.
int64_t part_size(const Path& target);

}  // namespace plinth::hub
