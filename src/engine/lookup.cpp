#include "engine/lookup.h"

#include <algorithm>

namespace plinth::engine {
namespace {

constexpr size_t kMatchMin = 2;
// A longer match would not choose better: it only says which of several occurrences is meant.
constexpr size_t kMatchMax = 16;

}  // namespace

// One pass over the text. At 32,000 tokens it takes some ten microseconds, a step milliseconds: an
// index would have to be kept for nothing.
std::vector<int32_t> look_up(std::span<const int32_t> tokens, int64_t count) {
  const size_t size = tokens.size();
  if (size <= kMatchMin || count < 1) return {};
  const int32_t last = tokens[size - 1];
  size_t best = 0;  // tokens that match
  size_t next = 0;  // what follows them
  for (size_t end = size - 1; end >= kMatchMin && best < kMatchMax; --end) {
    if (tokens[end - 1] != last) continue;
    size_t n = 1;
    while (n < std::min(end, kMatchMax) && tokens[end - 1 - n] == tokens[size - 1 - n]) ++n;
    if (n <= best) continue;
    best = n;
    next = end;
  }
  if (best < kMatchMin) return {};
  const auto from = tokens.subspan(next, std::min(static_cast<size_t>(count), size - next));
  return {from.begin(), from.end()};
}

}  // namespace plinth::engine
