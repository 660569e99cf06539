#include "corpus/rules.h"

#include <algorithm>

namespace plinth::corpus {
namespace {

// What a document takes while it is read and cleaned, in times of its size, with room for what is
// in memory beside it.
constexpr uint64_t kDocumentShare = 16;

}  // namespace

Result<Rules> read_rules(const RefineRecipe& recipe, const std::vector<Path>& suites) {
  PLINTH_TRY(auto exams, ExamIndex::read(suites, recipe.exam_run));
  Rules out{recipe, std::move(exams), {}, {}, false};
  if (!recipe.keywords.empty()) {
    PLINTH_TRY(out.keywords, KeywordLibrary::read(recipe.keywords));
  }
  if (!recipe.quality_model.empty()) {
    PLINTH_TRY(out.quality, QualityModel::read(recipe.quality_model));
  }
  out.recipe.file_bytes_max = std::min(recipe.file_bytes_max, recipe.memory / kDocumentShare);
  return out;
}

}  // namespace plinth::corpus
