// What a text is found by. Private to knowledge.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace plinth::knowledge {

// ASCII words in lower case ("gb", "2828"), pairs of neighbouring characters of Chinese, Japanese
// and Korean ("合同"), and each such character alone. Full-width ASCII counts as ASCII; other
// letters form words as they are. In the order of the text, repeats kept.
std::vector<std::string> terms_of(std::string_view text);

// A single ideograph says little where its bigrams also match; BM25 weighs it by this.
double term_weight(std::string_view term);

}  // namespace plinth::knowledge
