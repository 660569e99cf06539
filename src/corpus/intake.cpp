#include "corpus/intake.h"

#include "core/interrupt.h"
#include "core/threads.h"

namespace plinth::corpus {
namespace {

constexpr size_t kBatchFiles = 256;
constexpr uint64_t kBatchBytes = uint64_t{64} << 20;

class Intake {
 public:
  Intake(std::span<const InputFile> files, const RefineRecipe& recipe, const ExamIndex& exams,
         const OutcomeSink& sink)
      : files_(files), recipe_(recipe), exams_(exams), sink_(sink) {}

  Status run(const RefineProgress& progress) {
    uint64_t total = 0, done = 0;
    for (const InputFile& file : files_) total += file.bytes;
    for (size_t from = 0; from < files_.size();) {
      PLINTH_TRY(check_interrupted());
      size_t to = from;
      uint64_t bytes = 0;
      while (to < files_.size() && to - from < kBatchFiles &&
             (to == from || bytes + files_[to].bytes <= kBatchBytes))
        bytes += files_[to++].bytes;
      auto batch = in_parallel(
          to - from, [&](size_t i) { return process_file(files_[from + i], recipe_, exams_); });
      for (size_t i = 0; i < batch.size(); ++i) {
        const InputFile& file = files_[from + i];
        PLINTH_TRY(sink_(file, batch[i]));
        if (batch[i].opens) PLINTH_TRY(leaves(file, batch[i]));
        done += file.bytes;
        if (progress) progress(done, total);
      }
      from = to;
    }
    return {};
  }

 private:
  template <typename Work>
  std::vector<FileOutcome> in_parallel(size_t n, const Work& work) const {
    std::vector<FileOutcome> out(n);
    compute_pool().parallel_for(static_cast<int64_t>(n), 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i)
        out[static_cast<size_t>(i)] = work(static_cast<size_t>(i));
    });
    return out;
  }

  Status leaves(const InputFile& file, const FileOutcome& container) {
    const auto map = MappedFile::open(file.path);
    Leaf gone;
    gone.path = file.name;
    std::vector<Leaf> batch;
    uint64_t bytes = 0;
    const auto flush = [&]() -> Status {
      PLINTH_TRY(check_interrupted());
      auto outcomes = in_parallel(batch.size(), [&](size_t i) {
        return process_leaf(batch[i], container.sha256, recipe_, exams_);
      });
      batch.clear();
      bytes = 0;
      for (FileOutcome& outcome : outcomes) PLINTH_TRY(sink_(file, outcome));
      return {};
    };
    const auto take = [&](Leaf&& leaf) -> Status {
      bytes += leaf.bytes.size();
      batch.push_back(std::move(leaf));
      return batch.size() < kBatchFiles && bytes < kBatchBytes ? Status() : flush();
    };
    if (map) {
      PLINTH_TRY(unpack({file.name, map->text()}, container.kind, recipe_, take));
    } else {
      gone.error = map.error().message;
      PLINTH_TRY(take(std::move(gone)));
    }
    return flush();
  }

  std::span<const InputFile> files_;
  const RefineRecipe& recipe_;
  const ExamIndex& exams_;
  const OutcomeSink& sink_;
};

}  // namespace

Status take_in(std::span<const InputFile> files, const RefineRecipe& recipe, const ExamIndex& exams,
               const RefineProgress& progress, const OutcomeSink& sink) {
  return Intake(files, recipe, exams, sink).run(progress);
}

}  // namespace plinth::corpus
