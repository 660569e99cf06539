// What a web server sent: the page inside an HTTP response as crawlers store it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace plinth::corpus {

struct HttpBody {
  int status = 0;
  std::string type;     // "text/html", lower case; empty when the server did not say
  std::string charset;  // of Content-Type, lower case; empty when the server did not say
  std::string bytes;    // without transfer and content encoding
};

// Takes a whole response: status line, headers, body. Chunks that are declared but not there, or
// whose sizes are wrong, are taken as they come, as browsers do. A content encoding that we can't
// undo is kUnimplemented; a body that unpacks to more than `bytes_max` is kResourceExhausted.
Result<HttpBody> http_body(std::string_view response, size_t bytes_max);

// "text/html; charset=GBK" into the two fields.
void read_content_type(std::string_view value, HttpBody& out);

}  // namespace plinth::corpus
