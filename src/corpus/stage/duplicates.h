// The second stage: among all documents that may stay, which ones say the same?
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "core/json.h"
#include "corpus/dedup/near.h"
#include "corpus/stage/piece.h"
#include "corpus/stage/table.h"

namespace plinth::corpus {

struct DuplicateOptions {
  NearOptions near;
  bool find_near = true;
  uint64_t memory_bytes = 0;
};

// Every document of the run, by its number in input order, with its fate. Some 60 bytes of each in
// mapped files.
class Documents {
 public:
  // pieces: all of the run, in order. folder: for the tables; what an earlier start finished there
  // is used.
  static Result<Documents> judge(std::span<const Path> pieces, const Path& folder,
                                 const DuplicateOptions& options,
                                 const std::function<void(double share)>& progress = {});

  // Why it goes, among those that no filter has dropped; null when it stays or was dropped.
  const Match* match(size_t document) const;
  // Does it stay, and is it more than another one with other values?
  bool stands_alone(size_t document) const;
  // The document that stays in a match's place.
  size_t kept_by(const Match& match) const;
  // Its record: see piece.h.
  Result<std::string> record(size_t document) const;

  size_t size() const { return rows_.rows<Row>().size(); }

 private:
  struct Row {
    uint64_t text_hash = 0;
    uint64_t at = 0;
    uint32_t bytes = 0;
    uint32_t piece = 0;
    uint32_t chars = 0;
    uint32_t copy_like = 0;
  };

  explicit Documents(std::span<const Path> pieces) : pieces_(pieces) {}

  Status collect(const Path& folder);
  void rank();
  Status match_exact(const Path& folder);
  Status match_near(const Path& folder, const DuplicateOptions& options,
                    const std::function<void(double share)>& progress);

  std::span<const Path> pieces_;
  TableFile rows_{TableFile::none()};
  TableFile ranks_{TableFile::none()};    // int32 by document; -1: dropped
  TableFile by_rank_{TableFile::none()};  // int32: documents, those to be preferred first
  TableFile matches_{TableFile::none()};  // Match by rank
};

}  // namespace plinth::corpus
