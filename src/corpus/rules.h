// What a document is judged by: the recipe, and what it names, read once and shared by all threads.
#pragma once

#include "corpus/clean/chinese.h"
#include "corpus/clean/filters.h"
#include "corpus/clean/keywords.h"
#include "corpus/clean/quality_model.h"
#include "corpus/corpus.h"
#include "corpus/exam_index.h"

namespace plinth::corpus {

struct Rules {
  RefineRecipe recipe;
  ExamIndex exams;
  KeywordLibrary keywords;
  QualityModel quality;
  ChineseConverter chinese;
  Limits limits = profiles()[0].limits;
  std::vector<Limits> source_limits = {};  // of recipe.sources
  bool explain = false;  // effects with lines before and after, unmasked: for a dry run only

  // The longest path of the register that this one begins with; null when none fits.
  const SourceLicence* source_of(std::string_view path) const;
  const Limits& limits_of(const SourceLicence* source) const;
};

Result<Rules> read_rules(const RefineRecipe& recipe, const std::vector<Path>& suites);

}  // namespace plinth::corpus
