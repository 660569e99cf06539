#include "hub/url.h"

#include <curl/curl.h>

#include <memory>

#include "hub/names.h"

namespace plinth::hub {
namespace {

using Handle = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

Handle make_handle() {
  return {curl_url(), &curl_url_cleanup};
}

Error not_an_address(std::string_view text, CURLUcode code) {
  return invalid("'{}' is not an address: {}", printable(without_query(text)),
                 curl_url_strerror(code));
}

std::string part(CURLU* handle, CURLUPart which, unsigned int flags = 0) {
  char* text = nullptr;
  if (curl_url_get(handle, which, &text, flags) != CURLUE_OK || text == nullptr) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

std::string encode(std::string_view text, std::string_view keep) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       keep.find(c) != std::string_view::npos;
    if (plain)
      encoded.push_back(c);
    else
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return encoded;
}

}  // namespace

Result<Url> parse_url(const std::string& text) {
  const Handle handle = make_handle();
  const CURLUcode code = curl_url_set(handle.get(), CURLUPART_URL, text.c_str(), 0);
  if (code != CURLUE_OK) return not_an_address(text, code);
  Url url{.scheme = part(handle.get(), CURLUPART_SCHEME),
          .host = part(handle.get(), CURLUPART_HOST),
          .port = part(handle.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT),
          .path = part(handle.get(), CURLUPART_PATH),
          .query = part(handle.get(), CURLUPART_QUERY)};
  if (url.scheme != "http" && url.scheme != "https")
    return invalid("'{}': the scheme is neither http nor https", printable(without_query(text)));
  if (!part(handle.get(), CURLUPART_USER).empty() ||
      !part(handle.get(), CURLUPART_PASSWORD).empty())
    return invalid("the address of {} holds a user name or a password: use a token",
                   printable(url.host));
  return url;
}

bool same_origin(const Url& a, const Url& b) {
  return a.scheme == b.scheme && a.host == b.host && a.port == b.port;
}

bool may_carry_token(const Url& url) {
  return url.scheme == "https" || url.host == "127.0.0.1" || url.host == "localhost" ||
         url.host == "[::1]";
}

Result<std::string> resolve_location(const std::string& url, const std::string& location) {
  const Handle handle = make_handle();
  // A relative reference is resolved against the address that the handle holds already.
  CURLUcode code = curl_url_set(handle.get(), CURLUPART_URL, url.c_str(), 0);
  if (code == CURLUE_OK) code = curl_url_set(handle.get(), CURLUPART_URL, location.c_str(), 0);
  if (code != CURLUE_OK) return not_an_address(location, code);
  std::string target = part(handle.get(), CURLUPART_URL);
  PLINTH_TRY(const Url from, parse_url(url));
  PLINTH_TRY(const Url to, parse_url(target));
  if (from.scheme == "https" && to.scheme != "https")
    return make_error(Code::kPermissionDenied, "{} redirects from https to http: not followed",
                      printable(without_query(url)));
  return target;
}

std::string without_query(std::string_view url) {
  return std::string(url.substr(0, url.find_first_of("?#")));
}

std::string percent_encode(std::string_view text) {
  return encode(text, "-._~");
}

std::string percent_encode_path(std::string_view path) {
  return encode(path, "-._~/");
}

}  // namespace plinth::hub
