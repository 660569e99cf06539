#include "server/router.h"

#include "server/auth.h"
#include "server/errors.h"

namespace plinth::server {
namespace {

bool matches(std::string_view pattern, std::string_view path, std::string& argument) {
  if (!pattern.ends_with("/*")) return pattern == path;
  const std::string_view stem = pattern.substr(0, pattern.size() - 1);
  if (path.size() <= stem.size() || !path.starts_with(stem)) return false;
  argument = path.substr(stem.size());
  return true;
}

}  // namespace

void Router::handle(const ExchangePtr& exchange) const {
  const HttpRequest& request = exchange->request();
  const Route* found = nullptr;
  std::string other_methods;
  Call call{.exchange = exchange, .key = {}, .argument = {}};
  for (const Route& route : routes_) {
    if (!matches(route.path, request.path, call.argument)) continue;
    if (route.method == request.method) {
      found = &route;
      break;
    }
    other_methods += (other_methods.empty() ? "" : ", ") + route.method;
  }

  const bool open = found != nullptr && (found->access == Access::kOpen ||
                                         (found->access == Access::kLoopback && request.loopback));
  if (!open) {
    auto key = authenticate(*store_, request.authorization);
    if (!key) {
      const bool refused = key.error().code == Code::kUnauthenticated;
      return exchange->reply(error_response(
          {.error = key.error(), .code = refused ? "invalid_api_key" : ""}, request.id));
    }
    call.key = *std::move(key);
  }
  if (found != nullptr) return found->handle(call);
  HttpResponse response = error_response(
      {.error = not_found("{} {}: there is no such route", request.method, request.path)},
      request.id);
  if (!other_methods.empty()) {
    response.status = 405;
    response.headers.emplace_back("allow", other_methods);
  }
  exchange->reply(std::move(response));
}

}  // namespace plinth::server
