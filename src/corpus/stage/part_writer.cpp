#include "corpus/stage/part_writer.h"

#include <algorithm>

#include "core/interrupt.h"
#include "core/threads.h"

namespace plinth::corpus {
namespace {

constexpr size_t kBatchLeaves = 256;
constexpr size_t kPartLeaves = 4096;
constexpr uint64_t kWeight = uint64_t{64} << 20;

// What a leaf and what comes of it take in memory before its part is written, in bytes: a row is a
// document, however short it is. From its bytes alone, as where a part ends must be.
uint64_t weight_of(const Leaf& leaf) {
  constexpr uint64_t kRowBytes = 1024;
  if (leaf.kind != Kind::kJsonl) return leaf.bytes.size();
  const auto rows = std::count(leaf.bytes.begin(), leaf.bytes.end(), '\n');
  return leaf.bytes.size() + kRowBytes * static_cast<uint64_t>(rows);
}

}  // namespace

void PartWriter::add(EncodedFile file) {
  Entry entry;
  entry.encoded = std::move(file);
  batch_.push_back(std::move(entry));
}

Status PartWriter::add(Leaf leaf, const FileOutcome& file) {
  ++batch_leaves_;
  batch_weight_ += weight_of(leaf);
  Entry entry;
  entry.leaf = std::move(leaf);
  entry.file = &file;
  batch_.push_back(std::move(entry));
  return batch_leaves_ < kBatchLeaves && batch_weight_ < kWeight ? Status() : flush();
}

Status PartWriter::finish() {
  PLINTH_TRY(flush());
  return write(true);
}

void PartWriter::process(Entry& entry) const {
  if (entry.encoded) return;
  FileEncoder encoder;
  const FileOutcome of_leaf =
      process_leaf(entry.leaf, entry.file->sha256, rules_,
                   [&](const FileOutcome& of, Outcome&& outcome) { encoder.add(of, outcome); });
  entry.encoded = encoder.finish(entry.leaf.path, of_leaf);
  // Pieces of a file were told of with the file.
  if (*entry.encoded && !is_container(entry.file->kind)) (*entry.encoded)->head.clear();
  entry.leaf = {};
}

Status PartWriter::flush() {
  PLINTH_TRY(check_interrupted());
  part_leaves_ += batch_leaves_;
  part_weight_ += batch_weight_;
  if (!store_.has(unit_, part_)) {
    compute_pool().parallel_for(std::ssize(batch_), 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) process(batch_[static_cast<size_t>(i)]);
    });
    for (const Entry& entry : batch_) {
      if (!*entry.encoded) return entry.encoded->error();
      builder_.add(**entry.encoded);
    }
  }
  batch_.clear();
  batch_leaves_ = 0;
  batch_weight_ = 0;
  flushed_();
  if (part_weight_ < kWeight && part_leaves_ < kPartLeaves) return {};
  return write(false);
}

// A part that is there already need not be made again.
Status PartWriter::write(bool last) {
  const size_t n = part_++;
  const std::string bytes = builder_.finish(last);
  part_leaves_ = 0;
  part_weight_ = 0;
  if (store_.has(unit_, n)) return {};
  PLINTH_TRY(store_.put(unit_, n, bytes));
  store_.note(unit_, n, last);
  return step_(n);
}

}  // namespace plinth::corpus
