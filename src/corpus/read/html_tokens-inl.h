// Once per tag of a page: inlined into the one caller that looks at attributes.
#pragma once

#include <algorithm>

namespace plinth::corpus {

constexpr bool is_html_space(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
}

template <typename Body>
void each_attribute(std::string_view attributes, Body&& body) {
  size_t at = 0;
  const size_t size = attributes.size();
  char name[16];
  while (at < size) {
    while (at < size && (is_html_space(attributes[at]) || attributes[at] == '/')) ++at;
    size_t length = 0;
    const size_t name_at = at;
    for (; at < size && !is_html_space(attributes[at]) && attributes[at] != '=' &&
           attributes[at] != '/';
         ++at) {
      const char c = attributes[at];
      if (length < sizeof name) name[length] = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
      ++length;
    }
    while (at < size && is_html_space(attributes[at])) ++at;
    std::string_view value;
    if (at < size && attributes[at] == '=') {
      ++at;
      while (at < size && is_html_space(attributes[at])) ++at;
      if (at < size && (attributes[at] == '"' || attributes[at] == '\'')) {
        const size_t close = std::min(attributes.find(attributes[at], at + 1), size);
        value = attributes.substr(at + 1, close - at - 1);
        at = std::min(close + 1, size);
      } else {
        const size_t from = at;
        while (at < size && !is_html_space(attributes[at])) ++at;
        value = attributes.substr(from, at - from);
      }
    }
    if (length > 0 && length <= sizeof name) body(std::string_view(name, length), value);
    if (at == name_at) ++at;  // a stray '='
  }
}

}  // namespace plinth::corpus
