#include "corpus/dedup/pair_runs.h"

#include <algorithm>

namespace plinth::corpus {

struct PairRuns::Source {
  const RankPair* at = nullptr;
  const RankPair* end = nullptr;
  std::unique_ptr<MappedFile> map;  // null: the pairs in memory
};

namespace {

constexpr size_t kPairsMin = 1024;

const auto kLater = [](const auto& left, const auto& right) { return *left->at > *right->at; };

}  // namespace

PairRuns::PairRuns(Path folder, uint64_t memory_bytes)
    : folder_(std::move(folder)),
      pairs_max_(std::max<size_t>(kPairsMin, memory_bytes / sizeof(RankPair))) {}

PairRuns::~PairRuns() = default;

Status PairRuns::add(RankPair pair) {
  if (pairs_.size() >= pairs_max_) {
    PLINTH_TRY(compact());
    if (pairs_.size() * 2 > pairs_max_) PLINTH_TRY(write_run());
  }
  pairs_.push_back(pair);
  return {};
}

Status PairRuns::compact() {
  std::sort(pairs_.begin(), pairs_.end());
  pairs_.erase(std::unique(pairs_.begin(), pairs_.end()), pairs_.end());
  return {};
}

Status PairRuns::write_run() {
  runs_.push_back(folder_ / fmt::format("pairs-{}", runs_.size()));
  PLINTH_TRY(auto file, OutputFile::create(runs_.back()));
  PLINTH_TRY(
      file.write({reinterpret_cast<const char*>(pairs_.data()), pairs_.size() * sizeof(RankPair)}));
  PLINTH_TRY(file.close());
  pairs_.clear();
  return {};
}

Status PairRuns::begin_reading() {
  PLINTH_TRY(compact());
  for (const Path& path : runs_) {
    PLINTH_TRY(auto map, MappedFile::open(path));
    auto source = std::make_unique<Source>();
    source->map = std::make_unique<MappedFile>(std::move(map));
    source->at = reinterpret_cast<const RankPair*>(source->map->bytes().data());
    source->end = source->at + source->map->bytes().size() / sizeof(RankPair);
    if (source->at != source->end) sources_.push_back(std::move(source));
  }
  if (!pairs_.empty()) {
    auto source = std::make_unique<Source>();
    source->at = pairs_.data();
    source->end = source->at + pairs_.size();
    sources_.push_back(std::move(source));
  }
  std::make_heap(sources_.begin(), sources_.end(), kLater);
  return {};
}

Result<bool> PairRuns::next(RankPair& pair) {
  if (sources_.empty()) return false;
  pair = *sources_.front()->at;
  while (!sources_.empty() && *sources_.front()->at == pair) {  // others may have it too
    std::pop_heap(sources_.begin(), sources_.end(), kLater);
    if (++sources_.back()->at == sources_.back()->end)
      sources_.pop_back();
    else
      std::push_heap(sources_.begin(), sources_.end(), kLater);
  }
  return true;
}

}  // namespace plinth::corpus
