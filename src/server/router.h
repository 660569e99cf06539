// One table says what the server answers and who may ask. What is not in it, and who is not let in,
// is refused before anything else looks at the request.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http.h"
#include "store/store.h"

namespace plinth::server {

enum class Access {
  kKey,       // a valid key
  kLoopback,  // no key from this machine, a key from elsewhere
  kOpen,      // anybody
};

struct Call {
  ExchangePtr exchange;
  store::KeyInfo key;    // kKey routes only
  std::string argument;  // what stands for the "*"
};

struct Route {
  std::string method;
  std::string path;  // "/v1/models", or "/v1/models/*": one or more characters
  Access access = Access::kKey;
  std::function<void(const Call&)> handle;
};

class Router {
 public:
  // `store` outlives the router.
  Router(std::vector<Route> routes, const store::Store& store)
      : routes_(std::move(routes)), store_(&store) {}

  // 401 comes before 404 and 405: without a key nobody learns what there is.
  void handle(const ExchangePtr& exchange) const;

  const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
  const store::Store* store_;
};

}  // namespace plinth::server
