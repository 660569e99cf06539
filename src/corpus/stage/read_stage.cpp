#include "corpus/stage/read_stage.h"

#include <sys/mman.h>

#include <algorithm>
#include <optional>

#include "core/interrupt.h"
#include "core/threads.h"
#include "corpus/stage/piece.h"

namespace plinth::corpus {
namespace {

constexpr std::string_view kReadingStage = "reading, bytes";
constexpr size_t kUnitFiles = 64;
constexpr uint64_t kUnitBytes = uint64_t{16} << 20;
// Units are worked on together until so much is in memory.
constexpr size_t kWindowFiles = 512;
constexpr uint64_t kWindowBytes = uint64_t{64} << 20;
constexpr size_t kLeavesAtOnce = 256;
constexpr size_t kPartLeaves = 4096;

struct Work {
  size_t unit = 0;
  std::vector<FileOutcome> outcomes;
  std::vector<std::optional<Result<EncodedFile>>> encoded;
  bool opens = false;
  Status written;
};

// What a leaf and what comes of it take in memory before its part is written, in bytes: a row is a
// document, however short it is. From its bytes alone: see Part.
uint64_t weight_of(const Leaf& leaf) {
  constexpr uint64_t kRowBytes = 1024;
  if (leaf.kind != Kind::kJsonl) return leaf.bytes.size();
  const auto rows = std::count(leaf.bytes.begin(), leaf.bytes.end(), '\n');
  return leaf.bytes.size() + kRowBytes * static_cast<uint64_t>(rows);
}

// What a unit with containers is cut into. Where a part ends depends on the inputs alone, so that
// a run that goes on knows which leaves it need not process again.
struct Part {
  size_t n = 0;
  PieceBuilder builder;
  size_t leaves = 0;
  uint64_t weight = 0;
};

// Pages of a map that were read count as this process's memory until the system is told that they
// are not needed; they stay in its cache.
void give_back(const MappedFile& map) {
  if (!map.bytes().empty())
    ::madvise(const_cast<std::byte*>(map.bytes().data()), map.bytes().size(), MADV_DONTNEED);
}

class Reader {
 public:
  Reader(const ReadWork& work, const Rules& rules, PieceStore& store, const StepHook& step)
      : work_(work), rules_(rules), store_(store), step_(step) {}

  Status run(const RefineProgress& progress) {
    progress_ = progress;
    for (size_t u = work_.first; u < work_.units.size(); u += work_.stride) total_ += bytes_of(u);
    for (size_t u = work_.first; u < work_.units.size();) {
      PLINTH_TRY(check_interrupted());
      std::vector<Work> window;
      size_t files = 0;
      uint64_t bytes = 0;
      for (; u < work_.units.size(); u += work_.stride) {
        if (store_.complete(u)) {
          done_ += bytes_of(u);
          continue;
        }
        const Unit& unit = work_.units[u];
        const size_t n = unit.end - unit.begin;
        if (!window.empty() && (files + n > kWindowFiles || bytes + bytes_of(u) > kWindowBytes))
          break;
        files += n;
        bytes += bytes_of(u);
        Work one;
        one.unit = u;
        one.outcomes.resize(n);
        one.encoded.resize(n);
        window.push_back(std::move(one));
      }
      if (window.empty()) continue;
      process(window);
      PLINTH_TRY(write(window));
      for (const Work& one : window) done_ += bytes_of(one.unit);
      tell(0);
    }
    return {};
  }

 private:
  uint64_t bytes_of(size_t u) const {
    uint64_t bytes = 0;
    for (size_t i = work_.units[u].begin; i < work_.units[u].end; ++i)
      bytes += work_.files[i].bytes;
    return bytes;
  }

  // more: of the unit at work.
  void tell(uint64_t more) const {
    if (progress_) progress_(kReadingStage, std::min(done_ + more, total_), total_);
  }

  const InputFile& file_of(const Work& one, size_t i) const {
    return work_.files[work_.units[one.unit].begin + i];
  }

  static void each(size_t n, const std::function<void(size_t)>& body) {
    compute_pool().parallel_for(static_cast<int64_t>(n), 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) body(static_cast<size_t>(i));
    });
  }

  void process(std::vector<Work>& window) {
    std::vector<std::pair<size_t, size_t>> all;
    for (size_t w = 0; w < window.size(); ++w)
      for (size_t i = 0; i < window[w].outcomes.size(); ++i) all.emplace_back(w, i);
    each(all.size(), [&](size_t k) {
      Work& one = window[all[k].first];
      const size_t i = all[k].second;
      const InputFile& file = file_of(one, i);
      FileEncoder encoder;
      one.outcomes[i] = process_file(file, rules_, [&](const FileOutcome& of, Outcome&& outcome) {
        encoder.add(of, outcome);
      });
      one.encoded[i] = encoder.finish(file.name, one.outcomes[i]);
    });
    for (Work& one : window)
      for (const FileOutcome& outcome : one.outcomes) one.opens |= outcome.opens;
  }

  // Units without containers are one piece each and are written side by side.
  Status write(std::vector<Work>& window) {
    each(window.size(), [&](size_t w) {
      if (!window[w].opens) window[w].written = write_whole(window[w]);
    });
    for (Work& one : window) {
      PLINTH_TRY(one.written);
      if (one.opens)
        PLINTH_TRY(write_parts(one));
      else
        store_.note(one.unit, 0, true);
      PLINTH_TRY(at_step(fmt::format("unit {}", one.unit)));
    }
    return {};
  }

  Status at_step(const std::string& name) const { return step_ ? step_(name) : Status(); }

  Status write_whole(const Work& one) const {
    PieceBuilder builder;
    for (const auto& encoded : one.encoded) {
      if (!*encoded) return encoded->error();
      builder.add(**encoded);
    }
    return store_.put(one.unit, 0, builder.finish(true));
  }

  Status write_parts(const Work& one) {
    Part part;
    for (size_t i = 0; i < one.outcomes.size(); ++i) {
      if (!*one.encoded[i]) return one.encoded[i]->error();
      part.builder.add(**one.encoded[i]);
      if (one.outcomes[i].opens)
        PLINTH_TRY(leaves(one.unit, file_of(one, i), one.outcomes[i], part));
    }
    return write_part(one.unit, part, true);
  }

  // A part that is there already need not be made again.
  Status write_part(size_t unit, Part& part, bool last) {
    const std::string bytes = part.builder.finish(last);
    const size_t n = part.n;
    part = Part{};
    part.n = n + 1;
    if (store_.has(unit, n)) return {};
    PLINTH_TRY(store_.put(unit, n, bytes));
    store_.note(unit, n, last);
    return at_step(fmt::format("unit {} part {}", unit, n));
  }

  Status leaves(size_t unit, const InputFile& file, const FileOutcome& container, Part& part) {
    const auto map = MappedFile::open(file.path);
    std::vector<Leaf> batch;
    uint64_t bytes = 0, weight = 0, unpacked = 0;
    const auto flush = [&]() -> Status {
      PLINTH_TRY(check_interrupted());
      part.leaves += batch.size();
      part.weight += weight;
      if (!store_.has(unit, part.n)) {
        std::vector<std::optional<Result<EncodedFile>>> encoded(batch.size());
        each(batch.size(), [&](size_t i) {
          FileEncoder encoder;
          const FileOutcome file_of_leaf = process_leaf(
              batch[i], container.sha256, rules_,
              [&](const FileOutcome& of, Outcome&& outcome) { encoder.add(of, outcome); });
          encoded[i] = encoder.finish(batch[i].path, file_of_leaf);
        });
        for (const auto& one : encoded) {
          if (!*one) return one->error();
          part.builder.add(**one);
        }
      }
      batch.clear();
      unpacked += bytes;
      bytes = weight = 0;
      tell(std::min(unpacked, file.bytes));
      if (map) give_back(*map);
      if (part.weight < kWindowBytes && part.leaves < kPartLeaves) return {};
      return write_part(unit, part, false);
    };
    bool full = false;  // a sample
    const auto take = [&](Leaf&& leaf) -> Status {
      full = full || unpacked + bytes >= work_.unpack_max;
      if (full) return make_error(Code::kCancelled, "the sample is full");
      bytes += leaf.bytes.size();
      weight += weight_of(leaf);
      batch.push_back(std::move(leaf));
      return batch.size() < kLeavesAtOnce && weight < kWindowBytes ? Status() : flush();
    };
    if (map) {
      const Status status = unpack({file.name, map->text(), {}, [&] { give_back(*map); }},
                                   container.kind, rules_.recipe, take);
      if (!full) PLINTH_TRY(status);
    } else {
      Leaf gone;
      gone.path = file.name;
      gone.error = map.error().message;
      PLINTH_TRY(take(std::move(gone)));
    }
    return flush();
  }

  const ReadWork& work_;
  const Rules& rules_;
  PieceStore& store_;
  const StepHook& step_;
  RefineProgress progress_;
  uint64_t total_ = 0;
  uint64_t done_ = 0;  // before the window at work
};

}  // namespace

std::vector<Unit> units_of(std::span<const InputFile> files) {
  std::vector<Unit> units;
  for (size_t begin = 0; begin < files.size();) {
    size_t end = begin;
    uint64_t bytes = 0;
    while (end < files.size() && end - begin < kUnitFiles &&
           (end == begin || bytes + files[end].bytes <= kUnitBytes))
      bytes += files[end++].bytes;
    units.push_back({begin, end});
    begin = end;
  }
  return units;
}

Status read_inputs(const ReadWork& work, const Rules& rules, PieceStore& store,
                   const RefineProgress& progress, const StepHook& step) {
  return Reader(work, rules, store, step).run(progress);
}

}  // namespace plinth::corpus
