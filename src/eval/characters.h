// Text as people count it: Unicode code points, and answers compared without what does not matter.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace plinth::eval {

// Code points; each broken byte is one U+FFFD.
std::u32string code_points(std::string_view utf8);

int64_t count_characters(std::string_view utf8);

// NFKC, lower case, without spaces and punctuation: "Ａ, b。" and "ab" are the same answer.
std::u32string normalised(std::string_view utf8);

// Whether the answer says the wanted text, whole: NFKC, lower case, spaces dropped, and no number
// or Latin word is found inside a longer one ("4毫米" is neither in "14毫米" nor in "0.4毫米").
bool states(std::string_view answer, std::string_view wanted);

// 2PR / (P + R) over the multisets of characters; 1 when both are empty.
double character_f1(std::u32string_view a, std::u32string_view b);

}  // namespace plinth::eval
