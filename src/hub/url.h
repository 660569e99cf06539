// Addresses of web servers, taken apart by libcurl's own parser, so that what is checked here is
// what is connected to.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"

namespace plinth::hub {

struct Url {
  std::string scheme;  // "http" or "https"
  std::string host;
  std::string port;  // never empty: 80 or 443 by default
  std::string path;
  std::string query;  // as it stands in the address, still encoded
};

// http and https only. User names and passwords in an address are refused: they end up in logs.
Result<Url> parse_url(const std::string& text);

// Whether two addresses are the same server: scheme, host and port.
bool same_origin(const Url& a, const Url& b);

// Whether a secret may travel there: https, or this machine.
bool may_carry_token(const Url& url);

// Where a Location header leads from `url`. From https to http is refused.
Result<std::string> resolve_location(const std::string& url, const std::string& location);

// Without the query, which on a download host holds a signature that opens the file.
std::string without_query(std::string_view url);

std::string percent_encode(std::string_view text);
// The same for a path: slashes stay.
std::string percent_encode_path(std::string_view path);

}  // namespace plinth::hub
