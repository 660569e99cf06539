#include "server/url.h"

#include <algorithm>
#include <charconv>

namespace plinth::server {
namespace {

constexpr size_t kLimit = 20;

}  // namespace

std::string decode_path(std::string_view target) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  std::string path;
  target = target.substr(0, target.find('?'));
  for (size_t i = 0; i < target.size(); ++i) {
    if (target[i] == '%' && i + 2 < target.size() && digit(target[i + 1]) >= 0 &&
        digit(target[i + 2]) >= 0) {
      path += static_cast<char>(digit(target[i + 1]) * 16 + digit(target[i + 2]));
      i += 2;
    } else {
      path += target[i];
    }
  }
  return path;
}

std::string query_of(std::string_view target) {
  const size_t at = target.find('?');
  return at == std::string_view::npos ? "" : std::string(target.substr(at + 1));
}

std::string query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const size_t equals = pair.find('=');
    if (pair.substr(0, equals) != name || equals == std::string_view::npos) continue;
    std::string value(pair.substr(equals + 1));
    for (char& c : value)
      if (c == '+') c = ' ';
    return decode_path(value);
  }
  return "";
}

std::vector<std::string> query_names(std::string_view query) {
  std::vector<std::string> names;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (!pair.empty()) names.push_back(decode_path(pair.substr(0, pair.find('='))));
  }
  return names;
}

Result<size_t> page_limit(std::string_view query) {
  const std::string text = query_value(query, "limit");
  if (text.empty()) return kLimit;
  size_t value = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  if (read.ec != std::errc() || read.ptr != end || value < 1 || value > kPageMax)
    return invalid("limit: {} is no number in 1..{}", text, kPageMax);
  return value;
}

Page page_of(std::string_view query, const std::vector<std::string>& ids) {
  Page page;
  if (const std::string after = query_value(query, "after"); !after.empty()) {
    const auto found = std::ranges::find(ids, after);
    page.begin = static_cast<size_t>(found - ids.begin()) + (found == ids.end() ? 0 : 1);
  }
  const auto said = page_limit(query);
  const size_t limit = said ? *said : kLimit;
  page.end = std::min(ids.size(), page.begin + limit);
  return page;
}

}  // namespace plinth::server
