// Immutable bytes named by their SHA-256: files, and flat folders (an adapter is a folder).
//
// An artifact is written beside its place, fsynced, and renamed: it is there whole or not at all,
// and putting the same bytes twice keeps one copy. Opening one hashes it again, so bit rot is an
// error and never an answer.
//
//   artifacts/3f/3f9a...      a file, or a folder of files
//
// The digest of a folder is the SHA-256 of its listing: for each file in name order
// "<sha-256 of the file>  <name>\n".
// Any thread, any process.
#pragma once

#include <string>
#include <string_view>

#include "core/file.h"
#include "core/result.h"

namespace plinth::store {

class Artifacts {
 public:
  // Creates `root` when missing.
  static Result<Artifacts> open(const Path& root);

  // Each returns the digest.
  Result<std::string> put(std::string_view bytes) const;
  Result<std::string> put_file(const Path& source) const;
  // Regular files directly in `source`; anything else in there is refused.
  Result<std::string> put_folder(const Path& source) const;

  // Where the artifact is, after its bytes were checked: kNotFound, or kDataLoss naming the path.
  Result<Path> find(std::string_view digest) const;
  // The bytes of a file artifact, checked.
  Result<std::string> read(std::string_view digest) const;

 private:
  explicit Artifacts(Path root) : root_(std::move(root)) {}

  Path place(std::string_view digest) const;
  Result<std::string> adopt(const Path& staged, const std::string& digest) const;

  Path root_;
};

}  // namespace plinth::store
