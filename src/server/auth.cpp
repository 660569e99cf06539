#include "server/auth.h"

#include <algorithm>
#include <cctype>

namespace plinth::server {

Result<store::KeyInfo> authenticate(const store::Store& store, std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  if (authorization.size() < kScheme.size() ||
      !std::equal(kScheme.begin(), kScheme.end(), authorization.begin(),
                  [&](char b, char a) { return same(a, b); }))
    return make_error(Code::kUnauthenticated,
                      "a key is needed: send it as \"Authorization: Bearer KEY\"");
  std::string_view key = authorization.substr(kScheme.size());
  while (key.starts_with(' ')) key.remove_prefix(1);
  return store.check_key(key);
}

}  // namespace plinth::server
