// How much of a text another one holds: F1 of 4-grams of characters or words.
#pragma once

#include <string>
#include <string_view>

namespace plinth::corpus {

struct Overlap {
  double precision = 0;
  double recall = 0;
  double f1 = 0;
};

// Of the multisets of 4-grams, white space left out; two empty texts agree fully.
Overlap gram_overlap(std::string_view found, std::string_view gold);

// Of the multisets of runs of four words (letters, digits, '_'), all of them where there are fewer.
// Source: scrapinghub/article-extraction-benchmark, evaluate.py.
Overlap word_gram_overlap(std::string_view found, std::string_view gold);

// Markdown's marks taken out ("# ", "- ", table bars and rules): what is left was on the page.
std::string without_markdown(std::string_view text);

}  // namespace plinth::corpus
