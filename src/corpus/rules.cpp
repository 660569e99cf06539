#include "corpus/rules.h"

#include <algorithm>

namespace plinth::corpus {
namespace {

// What a document takes while it is read and cleaned, in times of its size, with room for what is
// in memory beside it.
constexpr uint64_t kDocumentShare = 16;

Result<Limits> limits_named(const std::string& profile) {
  const Profile* found = profile_named(profile);
  if (found == nullptr) return invalid("filters: there is no profile \"{}\"", profile);
  return found->limits;
}

}  // namespace

const SourceLicence* Rules::source_of(std::string_view path) const {
  const SourceLicence* best = nullptr;
  for (const SourceLicence& source : recipe.sources)
    if (path.starts_with(source.path) &&
        (best == nullptr || source.path.size() > best->path.size()))
      best = &source;
  return best;
}

const Limits& Rules::limits_of(const SourceLicence* source) const {
  return source == nullptr ? limits
                           : source_limits[static_cast<size_t>(source - recipe.sources.data())];
}

Result<Rules> read_rules(const RefineRecipe& recipe, const std::vector<Path>& suites) {
  PLINTH_TRY(auto exams, ExamIndex::read(suites, recipe.exam_run));
  Rules out{recipe, std::move(exams), {}, {}, {}};
  PLINTH_TRY(out.limits, limits_named(recipe.profile));
  PLINTH_TRY(set_limits(recipe.limits, out.limits));
  for (const SourceLicence& source : recipe.sources) {
    PLINTH_TRY(Limits own, limits_named(source.profile.empty() ? recipe.profile : source.profile));
    PLINTH_TRY(set_limits(recipe.limits, own));
    PLINTH_TRY(set_limits(source.limits, own));
    out.source_limits.push_back(own);
  }
  if (!recipe.keywords.empty()) {
    PLINTH_TRY(out.keywords, KeywordLibrary::read(recipe.keywords));
  }
  if (!recipe.quality_model.empty()) {
    PLINTH_TRY(out.quality, QualityModel::read(recipe.quality_model));
  }
  if (!recipe.opencc.empty()) {
    PLINTH_TRY(out.chinese, ChineseConverter::open(recipe.opencc));
  }
  out.recipe.file_bytes_max = std::min(recipe.file_bytes_max, recipe.memory / kDocumentShare);
  return out;
}

}  // namespace plinth::corpus
