// A connection's bytes, plain or through TLS: what Beast and Asio call an asynchronous stream.
// Private to the HTTP server.
//
// Used on its connection's strand only.
#pragma once

#include <memory>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/tcp_stream.hpp>

namespace plinth::server {

using TlsContextPtr = std::shared_ptr<boost::asio::ssl::context>;

class Transport {
 public:
  using executor_type = boost::beast::tcp_stream::executor_type;  // the names that Asio looks for
  using Socket = boost::asio::ip::tcp::socket;

  // Null `tls`: plain. The context stays alive with its connections, whatever follows it.
  Transport(Socket socket, TlsContextPtr tls) : context_(std::move(tls)), tcp_(std::move(socket)) {
    if (context_ != nullptr) tls_ = std::make_unique<Tls>(tcp_, *context_);
  }

  executor_type get_executor() { return tcp_.get_executor(); }

  boost::beast::tcp_stream& tcp() { return tcp_; }

  Socket& socket() { return tcp_.socket(); }

  bool secure() const { return tls_ != nullptr; }

  template <typename Done>
  void async_handshake(Done&& done) {
    tls_->async_handshake(boost::asio::ssl::stream_base::server, std::forward<Done>(done));
  }

  template <typename Done>
  void async_shutdown(Done&& done) {
    tls_->async_shutdown(std::forward<Done>(done));
  }

  template <typename Buffers, typename Done>
  void async_read_some(const Buffers& buffers, Done&& done) {
    if (tls_ != nullptr) return tls_->async_read_some(buffers, std::forward<Done>(done));
    tcp_.async_read_some(buffers, std::forward<Done>(done));
  }

  template <typename Buffers, typename Done>
  void async_write_some(const Buffers& buffers, Done&& done) {
    if (tls_ != nullptr) return tls_->async_write_some(buffers, std::forward<Done>(done));
    tcp_.async_write_some(buffers, std::forward<Done>(done));
  }

 private:
  using Tls = boost::asio::ssl::stream<boost::beast::tcp_stream&>;

  TlsContextPtr context_;
  boost::beast::tcp_stream tcp_;
  std::unique_ptr<Tls> tls_;
};

}  // namespace plinth::server
