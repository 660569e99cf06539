#include "server/server.h"

#include <atomic>
#include <utility>

#include "core/log.h"
#include "server/http_server.h"
#include "server/openai_chat.h"
#include "server/openai_completions.h"
#include "server/openai_embeddings.h"
#include "server/openai_models.h"
#include "server/openai_tokens.h"
#include "server/operations.h"
#include "server/routes.h"

namespace plinth::server {

std::vector<Route> routes(const Services& services, const std::atomic<bool>& draining) {
  return {
      {"POST", "/v1/chat/completions", Access::kKey,
       [services](const Call& call) { handle_chat(services, call); }},
      {"POST", "/v1/completions", Access::kKey,
       [services](const Call& call) { handle_completions(services, call); }},
      {"POST", "/v1/embeddings", Access::kKey,
       [services](const Call& call) { handle_embeddings(services, call); }},
      {"POST", "/v1/rerank", Access::kKey,
       [services](const Call& call) { handle_rerank(services, call); }},
      {"POST", "/v1/tokenize", Access::kKey,
       [services](const Call& call) { handle_tokenize(services, call); }},
      {"POST", "/v1/detokenize", Access::kKey,
       [services](const Call& call) { handle_detokenize(services, call); }},
      {"GET", "/v1/models", Access::kKey,
       [services](const Call& call) { handle_models(services, call); }},
      {"GET", "/v1/models/*", Access::kKey,
       [services](const Call& call) { handle_model(services, call); }},
      {"GET", "/metrics", Access::kLoopback,
       [services](const Call& call) { handle_metrics(services, call); }},
      {"GET", "/healthz", Access::kOpen,
       [services, &draining](const Call& call) { handle_health(services, draining, call); }},
  };
}

// Members are destroyed bottom up: first the connections, last the ledger they write to.
class Server::Impl {
 public:
  Impl(const ServerOptions& options, std::unique_ptr<LedgerWriter> ledger,
       std::unique_ptr<DomainModels> models, store::Store& store, engine::Engine& engine)
      : options_(options),
        ledger_(std::move(ledger)),
        models_(std::move(models)),
        router_(routes({store, engine, *models_, *ledger_, schemas_}, draining_), store) {}

  Status listen() {
    HttpOptions http;
    http.address = options_.address;
    http.port = options_.port;
    PLINTH_TRY(http_, HttpServer::start(
                          http, [this](const ExchangePtr& exchange) { router_.handle(exchange); }));
    log_info("serving {} on {}:{}", models_->base_name(), options_.address, http_->port());
    return {};
  }

  int port() const { return http_->port(); }

  void stop() {
    draining_ = true;
    http_->stop(options_.drain_ms);
  }

 private:
  const ServerOptions options_;
  std::atomic<bool> draining_ = false;
  std::unique_ptr<LedgerWriter> ledger_;
  std::unique_ptr<DomainModels> models_;
  grammar::SchemaCache schemas_;
  Router router_;
  std::unique_ptr<HttpServer> http_;
};

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options, store::Store& store,
                                              engine::Engine& engine) {
  PLINTH_TRY(auto ledger, LedgerWriter::start(store.home()));
  // The engine outlives the server, and its model with it.
  std::shared_ptr<const model::Model> base(std::shared_ptr<const void>(), &engine.model());
  PLINTH_TRY(auto models, DomainModels::create(store, std::move(base), engine.adapters()));
  auto impl = std::make_unique<Impl>(options, std::move(ledger), std::move(models), store, engine);
  PLINTH_TRY(impl->listen());
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
  stop();
}

int Server::port() const {
  return impl_->port();
}

void Server::stop() {
  impl_->stop();
}

}  // namespace plinth::server
