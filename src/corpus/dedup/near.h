// Which documents say the same as another one, almost word for word?
//
// Candidates share a MinHash band; each is verified by the Jaccard similarity of 5-grams and of its
// numbers: two inspection reports that differ in nothing but their values are two reports.
// Documents of more than some 131,000 different 5-grams are compared by a sample of them, and whole
// where the sample is near a threshold (see text_profile.h): each is read once, not once per
// candidate. A document goes only if it is similar to a document that stays, so that no chain of
// small edits drops a different text.
//
// Documents are known by rank: their place in the order in which they are kept, best first.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/result.h"
#include "corpus/dedup/minhash.h"

namespace plinth::corpus {

struct NearOptions {
  double jaccard = 0.8;
  double value_jaccard = 0.8;
};

// The documents, by rank; called from several threads.
struct NearSource {
  std::function<Result<std::string>(int32_t rank)> text;
  std::function<uint64_t(int32_t rank)> chars;  // of its text, about
};

// What became of a document among the others.
struct Match {
  // kAlike: stays, and says the same as a better one but for its values.
  enum class How : int32_t { kStays, kAlike, kExact, kNear };

  bool stays() const { return how == How::kStays || how == How::kAlike; }

  double similarity = 0;
  int32_t kept = 0;  // the rank that stays in its place
  How how = How::kStays;
};

// The band keys of all documents, in files. Memory: `memory_bytes`, whatever their number.
class NearIndex {
 public:
  // 384 bytes of each document go into files in `folder`, which exists.
  static Result<NearIndex> create(const Path& folder, uint64_t memory_bytes);

  // Each rank at most once, in any order.
  Status add(int32_t rank, const BandKeys& keys);

  // Once, after all are added.
  // matches: by rank; entries become kNear where a document goes, kAlike where its values keep it.
  Status find(const NearSource& source, const NearOptions& options, std::span<Match> matches,
              const std::function<void(double share)>& progress = {});

 private:
  NearIndex(Path folder, uint64_t memory_bytes)
      : folder_(std::move(folder)), memory_bytes_(memory_bytes) {}

  Path band_path(size_t band) const;
  Status candidates(size_t band, class PairRuns& pairs) const;

  Path folder_;
  uint64_t memory_bytes_ = 0;
  uint64_t documents_ = 0;
  std::vector<OutputFile> files_;  // one per band
};

// Would the index find that b says the same as a?
bool near_duplicates(std::string_view a, std::string_view b, const NearOptions& options);

}  // namespace plinth::corpus
