#include "server/router.h"

#include <algorithm>

#include "core/metrics.h"
#include "server/audited_exchange.h"
#include "server/auth.h"
#include "server/errors.h"
#include "server/traced_exchange.h"
#include "server/url.h"

namespace plinth::server {
namespace {

bool matches(std::string_view pattern, std::string_view path, std::string& argument) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == path;
  const std::string_view stem = pattern.substr(0, star);
  const std::string_view tail = pattern.substr(star + 1);
  if (path.size() <= stem.size() + tail.size() || !path.starts_with(stem) || !path.ends_with(tail))
    return false;
  const std::string_view middle = path.substr(stem.size(), path.size() - stem.size() - tail.size());
  if (!tail.empty() && middle.find('/') != std::string_view::npos) return false;
  argument = middle;
  return true;
}

// What would be ignored is refused, where a list or a report is asked for. No param: all is well.
ApiError check_query(const Route& route, std::string_view query) {
  if (route.query.empty()) return {};
  for (const std::string& name : query_names(query))
    if (std::ranges::find(route.query, name) == route.query.end())
      return {.error = invalid("{}: there is no such parameter", name), .param = name};
  if (const auto limit = page_limit(query); !limit)
    return {.error = limit.error(), .param = "limit"};
  return {};
}

}  // namespace

const Route* Router::find(const HttpRequest& request, std::string& argument,
                          std::string& other_methods) const {
  for (const Route& route : routes_) {
    if (!matches(route.path, request.path, argument)) continue;
    if (route.method == request.method) return &route;
    other_methods += (other_methods.empty() ? "" : ", ") + route.method;
  }
  return nullptr;
}

void Router::handle(const ExchangePtr& incoming) const {
  const HttpRequest& request = incoming->request();
  std::string other_methods;
  Call call{.exchange = incoming, .key = {}, .argument = {}};
  const Route* found = find(request, call.argument, other_methods);
  // Probes and scrapes come every few seconds and are nobody's request.
  if (found != nullptr && found->access == Access::kKey)
    call.exchange = traced(tracer_, found->path, call);
  const ExchangePtr exchange = call.exchange;
  const bool open = found != nullptr && (found->access == Access::kOpen ||
                                         (found->access == Access::kLoopback && request.loopback));
  if (open) return found->handle(call);
  auto key = authenticate(*store_, request.authorization);
  if (!key) {
    const bool refused = key.error().code == Code::kUnauthenticated;
    return exchange->reply(error_response(
        {.error = key.error(), .code = refused ? "invalid_api_key" : ""}, request.id));
  }
  call.key = *std::move(key);
  if (found != nullptr) return admit(*found, std::move(call));
  HttpResponse response = error_response(
      {.error = not_found("{} {}: there is no such route", request.method, request.path)},
      request.id);
  if (!other_methods.empty()) {
    response.status = 405;
    response.headers.emplace_back("allow", other_methods);
  }
  exchange->reply(std::move(response));
}

void Router::dispatch(const ExchangePtr& exchange, const store::KeyInfo& key) const {
  const HttpRequest& request = exchange->request();
  Call call{.exchange = exchange, .key = key, .argument = {}};
  std::string other_methods;
  if (const Route* found = find(request, call.argument, other_methods))
    return admit(*found, std::move(call));
  exchange->reply(error_response(
      {.error = not_found("{} {}: there is no such route", request.method, request.path)},
      request.id));
}

void Router::admit(const Route& route, Call call) const {
  call.exchange = audited(route, call, *audit_);
  const ExchangePtr exchange = call.exchange;
  const std::string& id = exchange->request().id;
  // Who has more to say at the server's end says it instead.
  exchange->on_cut([weak = std::weak_ptr(exchange)] {
    if (const auto cut = weak.lock())
      cut->reply(
          error_response({.error = make_error(Code::kUnavailable, "the server is shutting down")},
                         cut->request().id));
  });
  if (!may(call.key, route.action))
    return exchange->reply(
        error_response({.error = make_error(Code::kPermissionDenied,
                                            "this key, of role {}, may not do this: it needs {}",
                                            call.key.scope.role, action_name(route.action)),
                        .code = "insufficient_permissions"},
                       id));
  if (const ApiError wrong = check_query(route, exchange->request().query); !wrong.param.empty())
    return exchange->reply(error_response(wrong, id));
  if (route.metered) {
    auto decision = quotas_->admit(call.key.tenant_id);
    if (!decision) return exchange->reply(error_response({.error = decision.error()}, id));
    exchange->add_headers(decision->headers);
    if (decision->admission == nullptr) {
      count("plinth_refused_total", 1, {{"reason", "quota"}});
      HttpResponse response = error_response(
          {.error = exhausted("the quota of {} is used up", decision->refusal),
           .code = decision->for_long ? "insufficient_quota" : "rate_limit_exceeded"},
          id);
      response.headers.clear();  // the decision says when to come again
      return exchange->reply(std::move(response));
    }
    call.admission = std::move(decision->admission);
  }
  route.handle(call);
}

}  // namespace plinth::server
