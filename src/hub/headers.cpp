#include <charconv>

#include "hub/http.h"

namespace plinth::hub {
namespace {

// Reads digits off the front of `text`.
bool take_number(std::string_view& text, int64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

void read_content_range(std::string_view value, Answer& answer) {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t total = -1;
  if (!take(value, "bytes ") || !take_number(value, begin) || !take(value, "-") ||
      !take_number(value, end) || !take(value, "/"))
    return;
  if (value != "*" && !take_number(value, total)) return;
  answer.range_begin = begin;
  answer.range_total = total;
}

std::string next_query(std::string_view link) {
  // Link: <https://hub/api?cursor=abc>; rel="next", <...>; rel="first" (RFC 8288)
  while (true) {
    const size_t open = link.find('<');
    const size_t close = link.find('>', open == std::string_view::npos ? link.size() : open);
    if (close == std::string_view::npos) return {};
    const std::string_view target = link.substr(open + 1, close - open - 1);
    link.remove_prefix(close + 1);
    const std::string_view parameters = link.substr(0, link.find('<'));
    if (parameters.find("rel=\"next\"") == std::string_view::npos &&
        parameters.find("rel=next") == std::string_view::npos)
      continue;
    const size_t mark = target.find('?');
    return mark == std::string_view::npos ? std::string() : std::string(target.substr(mark + 1));
  }
}

}  // namespace plinth::hub
