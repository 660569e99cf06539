// Token ids as people and scripts write them: "1,403,7", "1 403 7", or {"ids": [1, 403, 7]}.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace plinth::cli {

// Each id must be in [0, vocabulary).
Result<std::vector<int32_t>> parse_ids(std::string_view text, int32_t vocabulary);

}  // namespace plinth::cli
