// train_quality_model(): two folders of anything, read as refine() reads, to a model file.
#include "core/json.h"
#include "corpus/clean/filters.h"
#include "corpus/clean/quality_model.h"
#include "corpus/corpus.h"
#include "corpus/shard.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

// A long document gives several examples: quality shows in any page of it.
constexpr size_t kWindowChars = 1200;
constexpr size_t kWindowCharsMin = 60;
constexpr int kWindowsMax = 16;

// Everything stays: what is bad is to be learned, not filtered.
RefineRecipe lenient() {
  RefineRecipe r;
  for (const Filter& filter : filters())
    r.limits[std::string(filter.key)] = filter.is_min() ? 0 : filter.most;
  r.limits["chars_min"] = 1;
  r.near_jaccard = 1;
  return r;
}

Status add_examples(const Path& input, bool good, const Path& work,
                    std::vector<QualityExample>& out) {
  RefineOptions options;
  options.inputs = {input};
  options.out = work / (good ? "good" : "bad");
  options.recipe = lenient();
  PLINTH_TRY(refine(options));
  return read_shards(options.out, "documents", [&](std::string_view line) -> Status {
    PLINTH_TRY(const Json json, parse_json(line, options.out.string()));
    const std::string text = string_or(json, "text", "");
    std::string_view rest = text;
    for (int n = 0; n < kWindowsMax && !rest.empty(); ++n) {
      const std::string_view window = prefix_chars(rest, kWindowChars);
      rest.remove_prefix(window.size());
      if (n > 0 && count_chars(window) < kWindowCharsMin) break;
      out.push_back({std::string(window), good});
    }
    return {};
  });
}

}  // namespace

Result<std::string> train_quality_model(const Path& good, const Path& bad, const Path& out,
                                        uint64_t seed) {
  PLINTH_TRY(const TempDirectory work, TempDirectory::create());
  std::vector<QualityExample> examples;
  PLINTH_TRY(add_examples(good, true, work.path(), examples));
  PLINTH_TRY(add_examples(bad, false, work.path(), examples));
  PLINTH_TRY(const auto trained, train_quality(examples, seed));
  PLINTH_TRY(write_file_atomic(out, trained.model.bytes()));
  return Json({{"good", trained.good},
               {"bad", trained.bad},
               {"held_out_accuracy", trained.held_out_accuracy},
               {"held_out_auc", trained.held_out_auc},
               {"bytes", trained.model.bytes().size()}})
      .dump(1);
}

}  // namespace plinth::corpus
