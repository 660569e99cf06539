// A review sheet that people have filled in, from its bytes: see read_verdicts().
#pragma once

#include <string_view>

#include "corpus/corpus.h"

namespace plinth::corpus {

// name: for messages.
Result<ReviewReport> parse_verdicts(std::string_view bytes, std::string_view name);

}  // namespace plinth::corpus
