#include "server/server.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "core/log.h"
#include "server/auth.h"
#include "server/http_server.h"
#include "server/operations.h"
#include "server/routes.h"

namespace plinth::server {

// Members are destroyed bottom up: first connections and batches, last the ledger they write to.
class Server::Impl {
 public:
  Impl(const ServerOptions& options, std::unique_ptr<store::Leases> leases,
       std::unique_ptr<LedgerWriter> ledger, std::unique_ptr<DomainModels> models,
       std::unique_ptr<BatchRunner> batches, std::unique_ptr<JobRunner> jobs,
       std::unique_ptr<store::AuditLog> audit, std::unique_ptr<Tracer> tracer, store::Store& store,
       engine::Engine& engine)
      : options_(options),
        store_(store),
        leases_(std::move(leases)),
        tracer_(std::move(tracer)),
        ledger_(std::move(ledger)),
        models_(std::move(models)),
        quotas_(store),
        batches_(std::move(batches)),
        jobs_(std::move(jobs)),
        audit_(std::move(audit)),
        router_(routes({.store = store,
                        .engine = engine,
                        .models = *models_,
                        .ledger = *ledger_,
                        .schemas = schemas_,
                        .batches = *batches_,
                        .jobs = *jobs_,
                        .audit = *audit_,
                        .settings = settings_,
                        .tracer = tracer_.get(),
                        .keep_alive_ms = options.keep_alive_ms},
                       condition_),
                store, quotas_, *audit_, tracer_.get()),
        tending_([this](const std::stop_token& stop) { tend(stop); }) {}

  ~Impl() { stop(); }

  Status listen() {
    PLINTH_TRY(auto settings, Settings::read(options_.settings));
    settings_.set(std::move(settings));
    HttpOptions http;
    http.address = options_.address;
    http.port = options_.port;
    http.tls = options_.tls;
    if (options_.connections_max > 0) http.connections_max = options_.connections_max;
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
    jobs_->start();
    log_info("serving {} on {}:{}", models_->base_name(), options_.address, http_->port());
    return {};
  }

  int port() const { return http_->port(); }

  Status reload() {
    PLINTH_TRY(auto settings, Settings::read(options_.settings));
    PLINTH_TRY(http_->reload_tls());
    settings_.set(std::move(settings));
    return {};
  }

  void stop() {
    condition_.draining = true;
    // Answers that end by themselves are judged as ever; nobody waits for a moderator longer.
    if (http_ != nullptr) http_->stop(options_.drain_ms, [this] { settings_.close(); });
    settings_.close();
    batches_->stop();
    jobs_->stop();
  }

 private:
  static constexpr size_t kFileMax = size_t{64} << 20;  // bytes of an upload

  void tend(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    while (!stop.stop_requested()) {
      never.wait_for(lock, stop, std::chrono::milliseconds(store::Leases::kBeatMs),
                     [] { return false; });
      const Status tended = leases_->tend();
      if (!tended) log_warn("leases: {}", tended.error().message);
      condition_.writable = tended.has_value();
    }
  }

  const ServerOptions options_;
  const store::Store& store_;
  Condition condition_;
  std::unique_ptr<store::Leases> leases_;
  std::unique_ptr<Tracer> tracer_;  // null: nothing is traced
  std::unique_ptr<LedgerWriter> ledger_;
  std::unique_ptr<DomainModels> models_;
  grammar::SchemaCache schemas_;
  Settings settings_;
  Quotas quotas_;
  std::unique_ptr<BatchRunner> batches_;
  std::unique_ptr<JobRunner> jobs_;
  std::unique_ptr<store::AuditLog> audit_;
  Router router_;
  std::unique_ptr<HttpServer> http_;
  std::jthread tending_;
};

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options, store::Store& store,
                                              engine::Engine& engine) {
  PLINTH_TRY(auto ledger, LedgerWriter::start(store.home()));
  // The engine outlives the server, and its model with it.
  std::shared_ptr<const model::Model> base(std::shared_ptr<const void>(), &engine.model());
  PLINTH_TRY(auto leases, store::Leases::open(store.home()));
  PLINTH_TRY(auto jobs, JobRunner::create(store.home(), engine, options.jobs, *leases));
  PLINTH_TRY(auto audit, store::AuditLog::open(store.home()));
  PLINTH_TRY(auto models, DomainModels::create(store, std::move(base), engine.adapters()));
  std::unique_ptr<Tracer> tracer;
  if (!options.otlp.empty()) {
    PLINTH_TRY(tracer, Tracer::start(options.otlp));
  }
  PLINTH_TRY(auto batches, BatchRunner::create(store.home(), *leases));
  auto impl = std::make_unique<Impl>(options, std::move(leases), std::move(ledger),
                                     std::move(models), std::move(batches), std::move(jobs),
                                     std::move(audit), std::move(tracer), store, engine);
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

Status Server::reload() {
  return impl_->reload();
}

void Server::stop() {
  impl_->stop();
}

}  // namespace plinth::server
