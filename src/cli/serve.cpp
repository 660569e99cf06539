#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "cli/bases.h"
#include "cli/command.h"
#include "cli/kv_option.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "server/server.h"

namespace plinth::cli {
namespace {

struct Options {
  std::string base = kEmbeddedBase;
  std::string address = "127.0.0.1";
  int64_t port = 8471;
  int64_t kv_mib = 256;
  KvOption kv;
  int64_t adapters_mib = 512;
  int64_t lookup = 0;
  bool deterministic = false;
  int64_t drain_s = 10;
  int64_t job_threads = 0;
  int64_t jobs = 2;
  int64_t connections = 16'384;
  Path settings;
  std::string certificate;
  std::string key;
  std::string otlp;
};

// Answers that may wait; one tenant alone fills three quarters of it (server/quotas.cpp).
constexpr int64_t kQueueMax = 4096;

volatile std::sig_atomic_t reload_wanted = 0;

void on_hangup(int) {
  reload_wanted = 1;
}

// Each connection is a descriptor; the soft limit is often 1,024.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 65'536);
  setrlimit(RLIMIT_NOFILE, &limit);
}

void reload(server::Server& server) {
  const Status reloaded = server.reload();
  if (reloaded)
    log_info("settings and certificate were read anew");
  else
    log_error("nothing was changed: {}", reloaded.error().message);
}

Status run(const Options& options, const Context& context) {
  if (options.certificate.empty() != options.key.empty())
    return invalid("--tls-cert and --tls-key go together");
  raise_descriptor_limit();
  reload_wanted = 0;
  std::signal(SIGHUP, on_hangup);
  PLINTH_TRY(const auto base, open_base(options.base, context.home));
  engine::EngineOptions engine_options;
  engine_options.kv_bytes = options.kv_mib << 20;
  PLINTH_TRY(options.kv.read_into(engine_options));
  engine_options.adapter_bytes = options.adapters_mib << 20;
  engine_options.lookup_tokens = options.lookup;
  engine_options.queue_max = kQueueMax;
  engine_options.deterministic = options.deterministic;
  PLINTH_TRY(const auto engine, engine::Engine::start(base, engine_options));
  PLINTH_TRY(const auto store, store::Store::open(context.home));
  server::ServerOptions server_options;
  server_options.address = options.address;
  server_options.port = static_cast<int>(options.port);
  server_options.drain_ms = static_cast<int>(options.drain_s * 1000);
  server_options.jobs = {.threads = static_cast<int>(options.job_threads),
                         .at_once = static_cast<int>(options.jobs)};
  server_options.connections_max = static_cast<int>(options.connections);
  server_options.settings = options.settings;
  server_options.otlp = options.otlp;
  server_options.tls = {.certificate = options.certificate, .key = options.key};
  PLINTH_TRY(const auto server, server::Server::start(server_options, *store, *engine));
  log_info("serving {} on {}://{}:{}/v1, state in {}, engine memory {} MiB", base->config().name,
           options.certificate.empty() ? "http" : "https", options.address, server->port(),
           context.home.string(), engine->stats().memory_bytes >> 20);
  while (!interrupted()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    if (reload_wanted == 0) continue;
    reload_wanted = 0;
    reload(*server);
  }
  log_info("draining: answers in flight have {} s", options.drain_s);
  server->stop();
  return {};
}

}  // namespace

void add_serve(Command& root, const Context& context) {
  auto options = std::make_shared<Options>();
  if (const char* endpoint = std::getenv("OTEL_EXPORTER_OTLP_ENDPOINT")) options->otlp = endpoint;
  auto command =
      root.add("serve", "the base and all published domain models over an OpenAI-compatible API",
               "plinth serve --port 8471");
  command.option("--base", options->base, "a base's name or path");
  command.option("--address", options->address, "address to listen on");
  command.option("--port", options->port, "port to listen on, 0 for any free one", 0, 65535);
  command.option("--kv-mib", options->kv_mib, "memory of the KV cache, MiB", 1, int64_t{1} << 20);
  options->kv.add_to(command);
  command.option("--adapters-mib", options->adapters_mib,
                 "memory of the adapters that are loaded at one time, MiB", 1, int64_t{1} << 20);
  command.option("--lookup", options->lookup,
                 "tokens guessed from the text so far and checked in one step, 0 for none", 0,
                 engine::EngineOptions::kLookupMax);
  command.flag("--deterministic", options->deterministic,
               "bit-identical answers whatever else is in the batch; prompts take longer");
  command.option("--drain", options->drain_s, "seconds that answers in flight get at the end", 0,
                 3600);
  command.option("--job-threads", options->job_threads,
                 "threads that jobs may use together of those that answers leave, 0 for all", 0,
                 1024);
  command.option("--jobs", options->jobs,
                 "jobs at one time, no two of one tenant and kind; 0: they wait for another server",
                 0, 64);
  command.option("--connections", options->connections,
                 "connections at one time; more are closed at once", 1, 1 << 20);
  command.option("--settings", options->settings,
                 "TOML: content filter, request log; read anew on SIGHUP");
  command.option("--otlp", options->otlp,
                 "send traces to this OpenTelemetry collector, as http://127.0.0.1:4318 (default "
                 "$OTEL_EXPORTER_OTLP_ENDPOINT)");
  command.option("--tls-cert", options->certificate, "PEM: the server's certificate chain");
  command.option("--tls-key", options->key, "PEM: its private key");
  command.action([options, &context] { return run(*options, context); });
}

}  // namespace plinth::cli
