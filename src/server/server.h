// The HTTP face of one engine: the OpenAI-compatible API with keys, usage and metrics.
//
//   POST /v1/chat/completions   key    whole or streamed
//   POST /v1/completions        key    whole or streamed
//   POST /v1/embeddings, rerank, tokenize, detokenize  key
//   GET  /v1/models, /{id}      key    the base and the published domain models
//   GET  /metrics               key, unless from this machine
//   GET  /healthz               open
//
// Everything else, and everything without its key, is refused. It listens on the loopback address
// unless told otherwise; other machines should come through TLS.
#pragma once

#include <memory>
#include <string>

#include "core/file.h"
#include "core/result.h"
#include "engine/engine.h"
#include "server/http_server.h"
#include "server/job_runner.h"
#include "store/store.h"

namespace plinth::server {

struct ServerOptions {
  std::string address = "127.0.0.1";
  int port = 8080;             // 0: any free one
  int drain_ms = 10'000;       // how long stop() lets answers finish
  Path settings = {};          // a file (settings.h); empty: none
  JobOptions jobs = {};        // what runs beside serving
  TlsFiles tls = {};           // none: plain HTTP
  int connections_max = 0;     // at one time; more are closed at once. 0: HttpOptions' default
  std::string otlp = {};       // where traces go (tracing.h); empty: nowhere
  int keep_alive_ms = 10'000;  // between comments in a stream that has nothing to say yet
};

class Server {
 public:
  // `store` and `engine` outlive the server.
  static Result<std::unique_ptr<Server>> start(const ServerOptions& options, store::Store& store,
                                               engine::Engine& engine);

  // stop().
  ~Server();

  int port() const;

  // Reads the settings and the certificate anew; what is wrong stays as it was, and is said.
  Status reload();

  // Takes nothing new, lets answers finish for up to drain_ms, cancels the rest, and returns when
  // all of their usage is in the ledger. Again: nothing.
  void stop();

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace plinth::server
