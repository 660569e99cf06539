#include <algorithm>
#include <cstdlib>

#include "core/log.h"
#include "hub/hub.h"
#include "hub/names.h"
#include "hub/url.h"

namespace plinth::hub {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string default_address(Kind kind) {
  if (kind == Kind::kHuggingFace) {
    const std::string address = environment("HF_ENDPOINT");
    return address.empty() ? "https://huggingface.co" : address;
  }
  const std::string domain = environment("MODELSCOPE_DOMAIN");
  if (domain.empty()) return "https://modelscope.cn";
  return domain.find("://") == std::string::npos ? "https://" + domain : domain;
}

}  // namespace

Result<Access> access_from_environment(Kind kind, const std::string& address) {
  Access access;
  access.address = address.empty() ? default_address(kind) : address;
  while (access.address.ends_with('/')) access.address.pop_back();
  PLINTH_TRY(const Url url, parse_url(access.address));
  if (!url.query.empty() || access.address.find('#') != std::string::npos)
    return invalid("the hub's address {} has a query or a fragment",
                   printable(without_query(access.address)));

  access.token_variable = kind == Kind::kHuggingFace ? "HF_TOKEN" : "MODELSCOPE_API_TOKEN";
  access.token = environment(access.token_variable.c_str());
  // A token with a line break would become a header of its own.
  if (std::any_of(access.token.begin(), access.token.end(),
                  [](char c) { return c <= ' ' || c > '~' || c == ';'; }))
    return invalid("{} holds a character that no token has (a line break?)", access.token_variable);
  if (!access.token.empty() && !may_carry_token(url)) {
    log_warn("{} is not https: the token in {} is not sent there", access.address,
             access.token_variable);
    access.token.clear();
  }
  return access;
}

}  // namespace plinth::hub
