#include "grammar/expressions.h"

#include <algorithm>

namespace plinth::grammar {
namespace {

constexpr uint32_t kLast = 0x10FFFF;
constexpr uint32_t kSurrogateFirst = 0xD800;
constexpr uint32_t kSurrogateLast = 0xDFFF;

}  // namespace

std::vector<Range> normal_ranges(std::vector<Range> ranges) {
  std::ranges::sort(ranges, {}, &Range::first);
  std::vector<Range> merged;
  const auto take = [&](uint32_t first, uint32_t last) {
    if (first > last) return;
    if (!merged.empty() && first <= merged.back().last + 1)
      merged.back().last = std::max(merged.back().last, last);
    else
      merged.push_back({first, last});
  };
  for (const Range& range : ranges) {
    take(range.first, std::min(range.last, kSurrogateFirst - 1));
    take(std::max(range.first, kSurrogateLast + 1), std::min(range.last, kLast));
  }
  return merged;
}

std::vector<Range> other_ranges(const std::vector<Range>& ranges) {
  std::vector<Range> others;
  uint32_t next = 0;
  for (const Range& range : ranges) {
    if (range.first > next) others.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kLast) others.push_back({next, kLast});
  return normal_ranges(std::move(others));
}

}  // namespace plinth::grammar
