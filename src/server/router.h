// One table says what the server answers and who may ask. What is not in it, and who is not let in,
// is refused before anything else looks at the request. What changes something besides asking for
// an answer, and what was not allowed, goes into the audit log before its answer goes out.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/access.h"
#include "server/http.h"
#include "server/quotas.h"
#include "server/tracing.h"
#include "store/audit.h"
#include "store/store.h"

namespace plinth::server {

enum class Access {
  kKey,       // a valid key
  kLoopback,  // no key from this machine, a key from elsewhere
  kOpen,      // anybody
};

struct Call {
  ExchangePtr exchange;
  store::KeyInfo key;       // kKey routes only
  std::string argument;     // what stands for the "*"
  TraceContext trace = {};  // empty: not traced
  // Of a metered route: counts as running while the call lives. Shared by the call's copies.
  std::shared_ptr<const Admission> admission = {};
};

struct Route {
  std::string method;
  // "/v1/models", or with one "*": "/v1/models/*" is one or more characters, in the middle
  // ("/v1/files/*/content") without a slash. Of several that fit the first counts.
  std::string path;
  Access access = Access::kKey;
  Action action = Action::kAdmin;  // what the key must be allowed
  bool metered = false;            // counts against the tenant's quota
  std::function<void(const Call&)> handle;
  // For the OpenAPI document: a sentence, and names of schemas (openapi.h); empty: none.
  std::string summary = {};
  std::string request = {};
  std::string response = {};            // of an answer in JSON
  std::string events = {};              // of each event of a streamed answer
  std::string content_type = {};        // of an answer that is not JSON
  std::vector<std::string> query = {};  // parameters after the "?"
  std::vector<int> refusals = {};       // statuses beside those that follow from the rest
};

class Router {
 public:
  // All of them outlive the router. A null tracer: nothing is traced.
  Router(std::vector<Route> routes, const store::Store& store, Quotas& quotas,
         store::AuditLog& audit, Tracer* tracer)
      : routes_(std::move(routes)),
        store_(&store),
        quotas_(&quotas),
        audit_(&audit),
        tracer_(tracer) {}

  // 401 comes before 403, 404 and 405: without a key nobody learns what there is.
  void handle(const ExchangePtr& exchange) const;

  // The same for a request whose key is known to be valid: a line of a batch.
  void dispatch(const ExchangePtr& exchange, const store::KeyInfo& key) const;

  const std::vector<Route>& routes() const { return routes_; }

 private:
  const Route* find(const HttpRequest& request, std::string& argument,
                    std::string& other_methods) const;
  void admit(const Route& route, Call call) const;

  std::vector<Route> routes_;
  const store::Store* store_;
  Quotas* quotas_;
  store::AuditLog* audit_;
  Tracer* tracer_;
};

}  // namespace plinth::server
