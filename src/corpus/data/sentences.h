// Sentences and clauses of Chinese and mixed text.
#pragma once

#include <string_view>
#include <vector>

namespace plinth::corpus {

// Sentences of a line, without list marks, article numbers and 问：/答：; the closing mark is left
// out.
std::vector<std::string_view> sentences_of(std::string_view line);

// Parts of a sentence between commas.
std::vector<std::string_view> clauses_of(std::string_view sentence);

// The whole sentences that fit into `chars` characters; the hard prefix when the first one does
// not.
std::string_view prefix_sentences(std::string_view text, size_t chars);

// A line in parts of at most `chars` characters, cut behind sentences where possible.
std::vector<std::string_view> cut_long_line(std::string_view line, int chars);

}  // namespace plinth::corpus
