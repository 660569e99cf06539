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
};

Status run(const Options& options, const Context& context) {
  PLINTH_TRY(const auto base, open_base(options.base, context.home));
  engine::EngineOptions engine_options;
  engine_options.kv_bytes = options.kv_mib << 20;
  PLINTH_TRY(options.kv.read_into(engine_options));
  engine_options.adapter_bytes = options.adapters_mib << 20;
  engine_options.lookup_tokens = options.lookup;
  engine_options.deterministic = options.deterministic;
  PLINTH_TRY(const auto engine, engine::Engine::start(base, engine_options));
  PLINTH_TRY(const auto store, store::Store::open(context.home));
  server::ServerOptions server_options;
  server_options.address = options.address;
  server_options.port = static_cast<int>(options.port);
  server_options.drain_ms = static_cast<int>(options.drain_s * 1000);
  PLINTH_TRY(const auto server, server::Server::start(server_options, *store, *engine));
  log_info("serving {} on http://{}:{}/v1, state in {}, engine memory {} MiB", base->config().name,
           options.address, server->port(), context.home.string(),
           engine->stats().memory_bytes >> 20);
  while (!interrupted()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  log_info("draining: answers in flight have {} s", options.drain_s);
  server->stop();
  return {};
}

}  // namespace

void add_serve(Command& root, const Context& context) {
  auto options = std::make_shared<Options>();
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
  command.action([options, &context] { return run(*options, context); });
}

}  // namespace plinth::cli
