// Header blocks as WARC and HTTP have them: a first line, "Name: value" lines, a blank line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace plinth::corpus {

struct WebHeaders {
  std::string_view first_line;
  std::vector<std::pair<std::string, std::string_view>> fields;  // names in lower case
  size_t end = 0;        // where the bytes after the blank line begin
  bool complete = true;  // a blank line was there

  // The first field of that name, trimmed; empty when there is none.
  std::string_view value(std::string_view lower_name) const;
};

// Lines end with LF or CRLF; a line that begins with a blank goes on from the one before (its text
// is dropped). At most 64 KiB and 1000 fields are looked at. Views point into `bytes`.
WebHeaders read_headers(std::string_view bytes);

std::string lower_ascii(std::string_view text);

}  // namespace plinth::corpus
