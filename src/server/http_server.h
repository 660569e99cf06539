// The HTTP/1.1 listener: connections, limits, timeouts, TLS, graceful end. Boost.Beast parses
// requests and stays in the source files.
//
// Threads: a small pool of its own (never the compute pool); each connection is a strand on it.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "core/result.h"
#include "server/http.h"

namespace plinth::server {

// PEM files: the server's own certificate (then those that vouch for it), and its key.
struct TlsFiles {
  std::string certificate = {};  // empty: no TLS
  std::string key = {};
};

struct HttpOptions {
  std::string address = "127.0.0.1";
  int port = 0;  // 0: any free one
  int threads = 2;
  int connections_max = 16'384;       // more are closed at once
  size_t body_max = size_t{4} << 20;  // bytes; larger requests get 413
  // The same by path and authorization header, asked before the body is read; null: body_max.
  std::function<size_t(const std::string& path, const std::string& authorization)> body_max_of = {};
  size_t queue_max = size_t{1} << 20;  // bytes a slow reader of a stream may leave unread
  int idle_ms = 60'000;                // between requests
  int transfer_ms = 30'000;  // without progress while a request comes in or an answer goes out
  TlsFiles tls = {};         // 1.2 and later
};

class HttpServer {
 public:
  static Result<std::unique_ptr<HttpServer>> start(const HttpOptions& options, Handler handler);

  // stop(0).
  ~HttpServer();

  int port() const;

  // Reads the files of HttpOptions::tls anew, for the connections that come from now on. With an
  // error the certificate stays as it was. Any thread.
  Status reload_tls();

  // Takes no new connections or requests, lets the running ones finish for up to drain_ms, then
  // tells them (Exchange::on_cut), refuses requests that have not come whole, cuts off who is still
  // there a second later, and returns when every exchange has been let go of. `before_cut` is
  // called where it comes to that. Again: nothing.
  void stop(int drain_ms, const std::function<void()>& before_cut = {});

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace plinth::server
