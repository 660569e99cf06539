#include "corpus/stage/plan.h"

#include "core/hash.h"
#include "corpus/recipe.h"

namespace plinth::corpus {
namespace {

constexpr std::string_view kRefineVersion = "5";

}  // namespace

Result<Json> make_plan(const RefineOptions& options, std::span<const InputFile> files,
                       const Rules& rules, size_t units) {
  Sha256 names;
  uint64_t bytes = 0;
  for (const InputFile& file : files) {
    names.update(fmt::format("{}\n{}\n", file.name, file.bytes));
    bytes += file.bytes;
  }
  Json suites = Json::array();
  for (const Path& suite : options.suites) {
    PLINTH_TRY(const std::string hash, sha256_file(suite));
    suites.push_back({{"name", suite.filename().string()}, {"sha256", hash}});
  }
  // What the recipe names, by what it holds: the manifest's "rules".
  Json named = Json::object();
  const RefineRecipe& recipe = options.recipe;
  for (const auto& [key, path] :
       {std::pair("keywords", recipe.keywords), std::pair("quality_model", recipe.quality_model)}) {
    if (path.empty()) continue;
    PLINTH_TRY(const std::string hash, sha256_file(path));
    named[key] = hash;
  }
  if (!recipe.opencc.empty()) {
    named["opencc"] = rules.chinese.sha256();
    named["opencc_version"] = PLINTH_OPENCC_VERSION;
  }
  return Json{{"rules", std::move(named)},
              {"refine", kRefineVersion},
              {"recipe", to_json(options.recipe)},
              {"suites", std::move(suites)},
              {"suite_questions", rules.exams.questions()},
              {"files", files.size()},
              {"bytes", bytes},
              {"names_sha256", names.hex()},
              {"units", units}};
}

std::string digest_of_times(std::span<const InputFile> files) {
  Sha256 times;
  std::error_code error;
  for (const InputFile& file : files) {
    const auto time = std::filesystem::last_write_time(file.path, error).time_since_epoch().count();
    times.update(fmt::format("{}\n", time));
  }
  return times.hex();
}

}  // namespace plinth::corpus
