// Spam by density, never by a single word: "贷款" stands in every banking law.
//
// Words belong to categories (gambling, loans, pornography, forged papers, search-engine bait,
// lures). A category counts the distinct words that occur and how dense they are. Score 1 is
// reached by, for example, six distinct words of one category at one hit per 40 characters, or by
// fewer at a higher density; a word used over and over in neutral text stays far below.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace plinth::corpus {

struct SpamScore {
  double score = 0;                // >= 1 reads as spam
  std::string category;            // the one that contributed most
  std::vector<std::string> words;  // distinct words of that category, at most eight
};

SpamScore spam_score(std::string_view text);

}  // namespace plinth::corpus
