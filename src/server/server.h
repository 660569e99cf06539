// The HTTP face of one engine: the OpenAI-compatible API with keys, usage and metrics.
//
//   POST /v1/chat/completions   key    whole or streamed
//   POST /v1/completions        key    whole or streamed
//   POST /v1/embeddings, rerank, tokenize, detokenize  key
//   GET  /v1/models, /{id}      key    the base and the published domain models
//   GET  /metrics               key, unless from this machine
//   GET  /healthz               open
//
// Everything else, and everything without its key, is refused. There is no TLS here: it listens on
// the loopback address unless told otherwise; put a proxy in front for other machines.
#pragma once

#include <memory>
#include <string>

#include "core/result.h"
#include "engine/engine.h"
#include "store/store.h"

namespace plinth::server {

struct ServerOptions {
  std::string address = "127.0.0.1";
  int port = 8080;        // 0: any free one
  int drain_ms = 10'000;  // how long stop() lets answers finish
};

class Server {
 public:
  // `store` and `engine` outlive the server.
  static Result<std::unique_ptr<Server>> start(const ServerOptions& options, store::Store& store,
                                               engine::Engine& engine);

  // stop().
  ~Server();

  int port() const;

  // Takes nothing new, lets answers finish for up to drain_ms, cancels the rest, and returns when
  // all of their usage is in the ledger. Again: nothing.
  void stop();

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace plinth::server
