// How likely a sequence of characters is as Chinese, English or other Latin text.
#pragma once

#include <string_view>

namespace plinth::text {

// The cost of the text in bits under a model of single characters: -log2 of its probability, by and
// large. Two decodings of the same bytes compare by their totals: the lower one is the likelier,
// and the difference is the weight of the evidence.
double text_bits(std::u16string_view text);

// The same for UTF-8; a broken byte costs what U+FFFD costs.
double text_bits(std::string_view utf8);

}  // namespace plinth::text
