// The pieces of a run in one folder: UNIT-PART.piece. A unit is a few input files; most are one
// part, a container of any size is several, made one after another.
#pragma once

#include <map>
#include <vector>

#include "core/file.h"
#include "core/result.h"

namespace plinth::corpus {

class PieceStore {
 public:
  // Takes in what an earlier run left: whole pieces stay, everything else goes.
  static Result<PieceStore> open(const Path& folder);

  // Is this part there? Of a complete unit, all that it has.
  bool has(size_t unit, size_t part) const;
  bool complete(size_t unit) const;

  // Durable on return. Different units may be put from different threads at a time; note() tells
  // the store afterwards.
  Status put(size_t unit, size_t part, std::string_view bytes) const;
  void note(size_t unit, size_t part, bool last);

  // All pieces of a unit in order.
  std::vector<Path> paths(size_t unit) const;

 private:
  struct Parts {
    size_t n = 0;  // 0..n-1 are there
    bool complete = false;
  };

  explicit PieceStore(Path folder) : folder_(std::move(folder)) {}

  Path path_of(size_t unit, size_t part) const;

  Path folder_;
  std::map<size_t, Parts> units_;
};

}  // namespace plinth::corpus
