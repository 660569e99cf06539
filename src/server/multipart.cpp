#include "server/multipart.h"

#include <algorithm>
#include <cctype>

namespace plinth::server {
namespace {

constexpr size_t kPartsMax = 64;
constexpr size_t kBoundaryMax = 200;
constexpr std::string_view kNewLine = "\r\n";

std::string lower(std::string_view text) {
  std::string low(text);
  std::ranges::transform(low, low.begin(), [](unsigned char c) { return std::tolower(c); });
  return low;
}

// The value of `name=value` or `name="value"` in a header; empty when there is none.
std::string parameter(std::string_view header, std::string_view name) {
  const std::string low = lower(header);
  for (size_t at = low.find(';'); at != std::string::npos; at = low.find(';', at + 1)) {
    size_t begin = at + 1;
    while (begin < low.size() && low[begin] == ' ') ++begin;
    if (low.compare(begin, name.size(), name) != 0 || begin + name.size() >= low.size() ||
        low[begin + name.size()] != '=')
      continue;
    std::string_view value = header.substr(begin + name.size() + 1);
    if (!value.starts_with('"')) return std::string(value.substr(0, value.find(';')));
    std::string text;
    for (size_t i = 1; i < value.size() && value[i] != '"'; ++i) {
      if (value[i] == '\\' && i + 1 < value.size()) ++i;
      text += value[i];
    }
    return text;
  }
  return "";
}

}  // namespace

Result<std::vector<FormPart>> parse_multipart(std::string_view content_type,
                                              std::string_view body) {
  if (!lower(content_type).starts_with("multipart/form-data"))
    return invalid("body: multipart/form-data is needed, this is \"{}\"",
                   content_type.substr(0, kBoundaryMax));
  const std::string boundary = parameter(content_type, "boundary");
  if (boundary.empty() || boundary.size() > kBoundaryMax)
    return invalid("body: the content type has no boundary of 1..{} bytes", kBoundaryMax);
  const std::string mark = "--" + boundary;
  std::vector<FormPart> parts;
  size_t at = body.find(mark);
  while (at != std::string_view::npos) {
    at += mark.size();
    if (body.substr(at).starts_with("--")) return parts;
    if (!body.substr(at).starts_with(kNewLine)) break;
    at += kNewLine.size();
    const size_t head_end = body.find("\r\n\r\n", at);
    const size_t end = body.find(std::string(kNewLine) + mark, at);
    if (head_end == std::string_view::npos || end == std::string_view::npos || head_end + 4 > end)
      break;
    if (parts.size() == kPartsMax) return invalid("body: more than {} parts", kPartsMax);
    FormPart part{.content = body.substr(head_end + 4, end - head_end - 4)};
    for (size_t line = at; line < head_end;) {
      const size_t line_end = std::min(body.find(kNewLine, line), head_end);
      const std::string_view header = body.substr(line, line_end - line);
      if (lower(header.substr(0, header.find(':'))) == "content-disposition") {
        part.name = parameter(header, "name");
        part.filename = parameter(header, "filename");
      }
      line = line_end + kNewLine.size();
    }
    if (part.name.empty()) return invalid("body: part {} has no name", parts.size());
    parts.push_back(std::move(part));
    at = end + kNewLine.size();
  }
  return invalid("body: part {} does not end", parts.size());
}

}  // namespace plinth::server
