// What a document is judged by: the recipe, and what it names, read once and shared by all threads.
#pragma once

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
  bool explain = false;  // effects with lines before and after, unmasked: for a dry run only
};

Result<Rules> read_rules(const RefineRecipe& recipe, const std::vector<Path>& suites);

}  // namespace plinth::corpus
