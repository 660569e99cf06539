// Amounts of memory as people write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace plinth {

// "4GB", "1.5 GiB", "800MB", "4096": a number and perhaps a unit, decimal or binary (KiB, MiB, GiB,
// TiB), in any case. kInvalidArgument quotes the text.
Result<int64_t> parse_bytes(std::string_view text);

// "1.52 GB", "12 MB": three digits, decimal units.
std::string format_bytes(int64_t bytes);

}  // namespace plinth
