#include "corpus/stage/read_stage.h"

#include <sys/mman.h>

#include <algorithm>
#include <optional>

#include "core/interrupt.h"
#include "core/threads.h"
#include "corpus/stage/part_writer.h"
#include "corpus/stage/piece.h"

namespace plinth::corpus {
namespace {

constexpr std::string_view kReadingStage = "reading, bytes";
constexpr size_t kUnitFiles = 64;
constexpr uint64_t kUnitBytes = uint64_t{16} << 20;
// Units are worked on together until so much is in memory.
constexpr size_t kWindowFiles = 512;
constexpr uint64_t kWindowBytes = uint64_t{64} << 20;

struct Work {
  size_t unit = 0;
  std::vector<FileOutcome> outcomes;
  std::vector<std::optional<Result<EncodedFile>>> encoded;
  bool opens = false;
  Status written;
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

  Status write_parts(Work& one) {
    uint64_t before = 0;    // bytes of the unit's files before the one at work
    uint64_t unpacked = 0;  // of that file
    const InputFile* at_work = nullptr;
    const MappedFile* open = nullptr;
    PartWriter parts(
        one.unit, rules_, store_,
        [&](size_t n) { return at_step(fmt::format("unit {} part {}", one.unit, n)); },
        [&] {
          if (at_work != nullptr) tell(before + std::min(unpacked, at_work->bytes));
          if (open != nullptr) give_back(*open);
        });
    for (size_t i = 0; i < one.outcomes.size(); ++i) {
      if (!*one.encoded[i]) return one.encoded[i]->error();
      parts.add(*std::move(*one.encoded[i]));
      const InputFile& file = file_of(one, i);
      if (one.outcomes[i].opens) {
        at_work = &file;
        unpacked = 0;
        PLINTH_TRY(leaves(file, one.outcomes[i], open, unpacked, parts));
      }
      before += file.bytes;
    }
    at_work = nullptr;
    return parts.finish();
  }

  // open: the file's map while it is; unpacked: grows with what was handed on.
  Status leaves(const InputFile& file, const FileOutcome& outcome, const MappedFile*& open,
                uint64_t& unpacked, PartWriter& parts) {
    const auto map = MappedFile::open(file.path);
    if (!map) {
      Leaf gone;
      gone.path = file.name;
      gone.error = map.error().message;
      return parts.add(std::move(gone), outcome);
    }
    bool full = false;  // a sample
    const auto take = [&](Leaf&& leaf) -> Status {
      full = full || unpacked >= work_.unpack_max;
      if (full) return make_error(Code::kCancelled, "the sample is full");
      unpacked += leaf.bytes.size();
      return parts.add(std::move(leaf), outcome);
    };
    open = &*map;
    const Status status = unpack({file.name, map->text(), {}, [&] { give_back(*map); }},
                                 outcome.kind, rules_.recipe, take);
    open = nullptr;
    return full ? Status() : status;
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
