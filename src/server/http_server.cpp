#include "server/http_server.h"

#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

#include "core/log.h"
#include "server/http_session.h"
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>

namespace plinth::server {
namespace {

namespace net = boost::asio;
namespace ssl = net::ssl;
using tcp = net::ip::tcp;

Result<TlsContextPtr> read_tls(const TlsFiles& files) {
  if (files.certificate.empty()) return TlsContextPtr();
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  boost::system::error_code error;
  const auto fails = [&](const std::string& file) {
    return invalid("TLS: {}: {}", file, error.message());
  };
  context->set_options(ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1, error);
  if (error) return fails("options");
  context->use_certificate_chain_file(files.certificate, error);
  if (error) return fails(files.certificate);
  context->use_private_key_file(files.key, ssl::context::pem, error);
  if (error) return fails(files.key);
  if (SSL_CTX_check_private_key(context->native_handle()) != 1)
    return invalid("TLS: {} is not the key of {}", files.key, files.certificate);
  return context;
}

// For what answers say when they are cut off at the end of a drain.
constexpr auto kLastWordTime = std::chrono::seconds(1);

}  // namespace

class HttpServer::Impl {
 public:
  Impl(const HttpOptions& options, Handler handler)
      : options_(options),
        handler_(std::move(handler)),
        sessions_(std::make_shared<Sessions<HttpSession>>(options.connections_max)) {}

  ~Impl() { stop(0, {}); }

  Status listen() {
    PLINTH_TRY(reload_tls());
    boost::system::error_code error;
    const auto where = [this] { return fmt::format("{}:{}", options_.address, options_.port); };
    const auto address = net::ip::make_address(options_.address, error);
    if (error) return invalid("{}: {}", where(), error.message());
    const tcp::endpoint endpoint(address, static_cast<uint16_t>(options_.port));
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(net::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(net::socket_base::max_listen_connections, error);
    if (error) return make_error(Code::kUnavailable, "{}: {}", where(), error.message());
    port_ = acceptor_.local_endpoint(error).port();
    accept();
    for (int i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { context_.run(); });
    return {};
  }

  int port() const { return port_; }

  Status reload_tls() {
    PLINTH_TRY(auto context, read_tls(options_.tls));
    const std::lock_guard lock(tls_mutex_);
    tls_ = std::move(context);
    return {};
  }

  void stop(int drain_ms, const std::function<void()>& before_cut) {
    if (threads_.empty()) return;
    sessions_->close();
    net::post(acceptor_.get_executor(), [this] {
      boost::system::error_code ignored;
      acceptor_.close(ignored);
    });
    sessions_->for_each([](HttpSession& session) { session.drain(); });
    if (!sessions_->wait_until_empty(std::chrono::milliseconds(drain_ms))) {
      if (before_cut) before_cut();
      sessions_->for_each([](HttpSession& session) { session.tell_cut(); });
      if (!sessions_->wait_until_empty(kLastWordTime)) {
        sessions_->for_each([](HttpSession& session) { session.cut(); });
        sessions_->wait_until_empty();
      }
    }
    work_.reset();
    context_.stop();
    threads_.clear();
  }

 private:
  void accept() {
    acceptor_.async_accept(net::make_strand(context_),
                           [this](boost::system::error_code error, auto socket) {
                             if (!acceptor_.is_open()) return;
                             if (!error) enter(std::move(socket));
                             // Out of descriptors: the others' sockets close soon; don't spin until
                             // then.
                             if (error) std::this_thread::sleep_for(std::chrono::milliseconds(10));
                             accept();
                           });
  }

  void enter(tcp::socket socket) {
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    TlsContextPtr tls;
    {
      const std::lock_guard lock(tls_mutex_);
      tls = tls_;
    }
    auto session = std::make_shared<HttpSession>(std::move(socket), std::move(tls), options_,
                                                 handler_, sessions_);
    if (sessions_->enter(session.get())) session->start();
  }

  const HttpOptions options_;
  const Handler handler_;
  std::shared_ptr<Sessions<HttpSession>> sessions_;
  net::io_context context_;
  net::executor_work_guard<net::io_context::executor_type> work_{context_.get_executor()};
  tcp::acceptor acceptor_{net::make_strand(context_)};
  int port_ = 0;
  std::mutex tls_mutex_;  // guards tls_
  TlsContextPtr tls_;     // null: plain
  std::vector<std::jthread> threads_;
};

Result<std::unique_ptr<HttpServer>> HttpServer::start(const HttpOptions& options, Handler handler) {
  auto impl = std::make_unique<Impl>(options, std::move(handler));
  PLINTH_TRY(impl->listen());
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() = default;

int HttpServer::port() const {
  return impl_->port();
}

Status HttpServer::reload_tls() {
  return impl_->reload_tls();
}

void HttpServer::stop(int drain_ms, const std::function<void()>& before_cut) {
  impl_->stop(drain_ms, before_cut);
}

}  // namespace plinth::server
