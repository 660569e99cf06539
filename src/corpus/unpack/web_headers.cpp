#include "corpus/unpack/web_headers.h"

#include <algorithm>

#include "corpus/utf8.h"

namespace plinth::corpus {

std::string lower_ascii(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

std::string_view WebHeaders::value(std::string_view lower_name) const {
  const auto it = std::find_if(fields.begin(), fields.end(),
                               [&](const auto& field) { return field.first == lower_name; });
  return it == fields.end() ? std::string_view() : it->second;
}

WebHeaders read_headers(std::string_view bytes) {
  constexpr size_t kBytesMax = size_t{64} << 10, kFieldsMax = 1000;
  WebHeaders out;
  const auto head = bytes.substr(0, kBytesMax);
  bool first = true;
  while (out.end < head.size()) {
    const size_t line_end = head.find('\n', out.end);
    if (line_end == head.npos) break;
    std::string_view line = head.substr(out.end, line_end - out.end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    out.end = line_end + 1;
    if (line.empty()) return out;
    if (first) {
      out.first_line = line;
      first = false;
      continue;
    }
    const size_t colon = line.find(':');
    if (colon == line.npos || line.front() == ' ' || line.front() == '\t') continue;
    if (out.fields.size() < kFieldsMax)
      out.fields.emplace_back(lower_ascii(trim(line.substr(0, colon))),
                              trim(line.substr(colon + 1)));
  }
  out.complete = false;
  return out;
}

}  // namespace plinth::corpus
