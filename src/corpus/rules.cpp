#include "corpus/rules.h"

#include <algorithm>

namespace plinth::corpus {
namespace {

// Reading, cleaning and hashing a document takes some ten times its size (measured: HTML 11, text
// 8), and as much again is in memory beside it.
constexpr uint64_t kDocumentShare = 16;

}  // namespace

Result<Rules> read_rules(const RefineRecipe& recipe, const std::vector<Path>& suites) {
  PLINTH_TRY(auto exams, ExamIndex::read(suites, recipe.exam_run));
  Rules out{recipe, std::move(exams)};
  out.recipe.file_bytes_max = std::min(recipe.file_bytes_max, recipe.memory / kDocumentShare);
  return out;
}

}  // namespace plinth::corpus
