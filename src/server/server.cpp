#include "server/server.h"

#include <atomic>
#include <utility>

#include "core/log.h"
#include "server/auth.h"
#include "server/http_server.h"
#include "server/routes.h"

namespace plinth::server {

// Members are destroyed bottom up: first connections and batches, last the ledger they write to.
class Server::Impl {
 public:
  Impl(const ServerOptions& options, std::unique_ptr<LedgerWriter> ledger,
       std::unique_ptr<DomainModels> models, std::unique_ptr<BatchRunner> batches,
       store::Store& store, engine::Engine& engine)
      : options_(options),
        store_(store),
        ledger_(std::move(ledger)),
        models_(std::move(models)),
        quotas_(store),
        batches_(std::move(batches)),
        router_(routes({store, engine, *models_, *ledger_, schemas_, *batches_}, draining_), store,
                quotas_) {}

  ~Impl() { stop(); }

  Status listen() {
    HttpOptions http;
    http.address = options_.address;
    http.port = options_.port;
    // Only who may upload files is listened to for longer.
    http.body_max_of = [this, small = http.body_max](const std::string& path,
                                                     const std::string& authorization) {
      if (path != "/v1/files") return small;
      const auto key = authenticate(store_, authorization);
      return key && may(*key, Action::kFiles) ? kFileMax : small;
    };
    PLINTH_TRY(http_, HttpServer::start(
                          http, [this](const ExchangePtr& exchange) { router_.handle(exchange); }));
    batches_->start([this](const ExchangePtr& exchange, const store::KeyInfo& key) {
      router_.dispatch(exchange, key);
    });
    log_info("serving {} on {}:{}", models_->base_name(), options_.address, http_->port());
    return {};
  }

  int port() const { return http_->port(); }

  void stop() {
    draining_ = true;
    if (http_ != nullptr) http_->stop(options_.drain_ms);
    batches_->stop();
  }

 private:
  static constexpr size_t kFileMax = size_t{64} << 20;  // bytes of an upload

  const ServerOptions options_;
  const store::Store& store_;
  std::atomic<bool> draining_ = false;
  std::unique_ptr<LedgerWriter> ledger_;
  std::unique_ptr<DomainModels> models_;
  grammar::SchemaCache schemas_;
  Quotas quotas_;
  std::unique_ptr<BatchRunner> batches_;
  Router router_;
  std::unique_ptr<HttpServer> http_;
};

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options, store::Store& store,
                                              engine::Engine& engine) {
  PLINTH_TRY(auto ledger, LedgerWriter::start(store.home()));
  // The engine outlives the server, and its model with it.
  std::shared_ptr<const model::Model> base(std::shared_ptr<const void>(), &engine.model());
  PLINTH_TRY(auto models, DomainModels::create(store, std::move(base), engine.adapters()));
  PLINTH_TRY(auto batches, BatchRunner::create(store.home()));
  auto impl = std::make_unique<Impl>(options, std::move(ledger), std::move(models),
                                     std::move(batches), store, engine);
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
