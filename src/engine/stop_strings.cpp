#include "engine/stop_strings.h"

#include <algorithm>
#include <utility>

namespace plinth::engine {
namespace {

// Length of the longest end of `text` that begins `stop`, less than the whole of it.
size_t begun(std::string_view text, std::string_view stop) {
  for (size_t n = std::min(text.size(), stop.size() - 1); n > 0; --n)
    if (text.ends_with(stop.substr(0, n))) return n;
  return 0;
}

}  // namespace

StopStrings::StopStrings(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase_if(stops_, [](const std::string& stop) { return stop.empty(); });
}

StopStrings::Output StopStrings::push(std::string_view text) {
  held_ += text;
  size_t first = std::string::npos;
  size_t waiting = 0;
  for (const auto& stop : stops_) {
    first = std::min(first, held_.find(stop));
    waiting = std::max(waiting, begun(held_, stop));
  }
  const size_t certain = first != std::string::npos ? first : held_.size() - waiting;
  Output output{held_.substr(0, certain), first != std::string::npos};
  held_.erase(0, output.stopped ? held_.size() : certain);
  return output;
}

std::string StopStrings::finish() {
  return std::exchange(held_, {});
}

}  // namespace plinth::engine
