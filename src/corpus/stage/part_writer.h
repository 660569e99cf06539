// A unit with containers, or with files of many rows, goes into the store as several parts, one
// after the other, so that what it takes in memory does not grow with it. Where a part ends depends
// on the inputs alone: a run that goes on knows which leaves it need not process again.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "corpus/process.h"
#include "corpus/stage/piece.h"
#include "corpus/stage/piece_store.h"

namespace plinth::corpus {

// One thread at a time; leaves are processed on the compute pool, 256 or some 64 MiB of them at
// once.
class PartWriter {
 public:
  // Called after each part is durable; an error ends the unit there.
  using Step = std::function<Status(size_t part)>;
  // Called after each batch of leaves.
  using Flushed = std::function<void()>;

  PartWriter(size_t unit, const Rules& rules, PieceStore& store, Step step, Flushed flushed)
      : unit_(unit),
        rules_(rules),
        store_(store),
        step_(std::move(step)),
        flushed_(std::move(flushed)) {}

  // A file that has its outcomes, or one whose leaves follow.
  void add(EncodedFile file);

  // A leaf of the file added last, which must live until finish(). Processed with others of its
  // batch, written in its order.
  Status add(Leaf leaf, const FileOutcome& file);

  // The last part. Nothing may follow.
  Status finish();

 private:
  // A file that is encoded, or a leaf that will be.
  struct Entry {
    std::optional<Result<EncodedFile>> encoded;
    Leaf leaf;
    const FileOutcome* file = nullptr;
  };

  Status flush();
  Status write(bool last);
  void process(Entry& entry) const;

  size_t unit_;
  const Rules& rules_;
  PieceStore& store_;
  Step step_;
  Flushed flushed_;

  std::vector<Entry> batch_;
  size_t batch_leaves_ = 0;
  uint64_t batch_weight_ = 0;

  size_t part_ = 0;
  PieceBuilder builder_;
  size_t part_leaves_ = 0;
  uint64_t part_weight_ = 0;
};

}  // namespace plinth::corpus
