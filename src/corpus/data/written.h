// Questions and answers that a language model writes about passages of the corpus.
#pragma once

#include <vector>

#include "corpus/corpus.h"
#include "corpus/data/row.h"

namespace plinth::corpus {

// What is asked of the model for one passage.
std::string writing_prompt(std::string_view passage);

struct WrittenPairs {
  std::vector<std::pair<std::string, std::string>> grounded;  // question, answer
  int64_t ungrounded = 0;
};

// The pairs in a model's answer: a JSON list of objects with "question" and "answer", whatever
// stands around it. A pair counts only if most of what its answer says stands in the passage: a
// model that makes things up teaches nothing.
WrittenPairs written_pairs(std::string_view answer, std::string_view passage);

// Asks options.writer about options.written_passages passages, drawn by options.seed. Generator
// "model".
Status add_written_rows(const std::vector<Document>& documents, const BuildOptions& options,
                        std::vector<Row>& rows, BuildReport& report);

}  // namespace plinth::corpus
