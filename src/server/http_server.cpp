#include "server/http_server.h"

#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <thread>
#include <vector>

#include "core/hash.h"
#include "core/log.h"
#include "core/metrics.h"
#include "server/errors.h"
#include "server/sessions.h"
#include "server/url.h"
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

namespace plinth::server {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = net::ip::tcp;

constexpr uint32_t kHeaderMax = 16 * 1024;
constexpr size_t kLingerMax = size_t{16} << 20;  // bytes read and dropped before closing
constexpr auto kLingerTime = std::chrono::seconds(2);

// One connection: reads a request, hands it to the handler, writes what comes back, and again.
// Runs on its strand. Kept alive by its pending operations and by the exchange.
class Session : public std::enable_shared_from_this<Session> {
 public:
  // The socket's executor is the session's strand.
  Session(tcp::socket socket, const HttpOptions& options, const Handler& handler,
          std::shared_ptr<Sessions<Session>> sessions)
      : presence_(std::move(sessions)),
        stream_(std::move(socket)),
        options_(options),
        handler_(handler) {}

  ~Session() { (*presence_).leave(this); }

  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start() {
    post([](Session& self) { self.read_head(); });
  }

  // After the current answer (now, when there is none) the connection ends. Any thread.
  void drain() {
    post([](Session& self) {
      self.keep_alive_ = false;
      if (self.state_ == State::kReading && !self.head_started()) self.close();
    });
  }

  // Ends at once. Any thread.
  void cut() {
    post([](Session& self) { self.gone(); });
  }

  void post_work(std::function<void()> work) {
    net::post(stream_.get_executor(),
              [self = shared_from_this(), work = std::move(work)] { work(); });
  }

  // The exchange's side; `serial` keeps an old exchange from touching a newer answer.
  bool answering(uint64_t serial) const {
    return serial == serial_ && state_ == State::kAnswering && !answered_;
  }

  void add_headers(Headers headers) {
    added_headers_.insert(added_headers_.end(), headers.begin(), headers.end());
  }

  void set_gone(std::function<void()> gone) { on_gone_ = std::move(gone); }

  void send_head(const HttpResponse& response, const std::string& request_id, bool whole) {
    count("plinth_http_requests_total", 1, {{"code", std::to_string(response.status)}});
    std::string head =
        fmt::format("HTTP/1.1 {} {}\r\ncontent-type: {}\r\nx-request-id: {}\r\n", response.status,
                    status_text(response.status), response.content_type, request_id);
    const auto add = [&](const Headers& headers) {
      for (const auto& [name, value] : headers) head += fmt::format("{}: {}\r\n", name, value);
    };
    add(response.headers);
    add(added_headers_);
    chunked_ = !whole && http_1_1_;
    if (whole)
      head += fmt::format("content-length: {}\r\n", response.body.size());
    else if (chunked_)
      head += "transfer-encoding: chunked\r\n";
    else
      keep_alive_ = false;  // HTTP/1.0: the end of the connection is the end of the stream
    if ((*presence_).closed()) keep_alive_ = false;  // drain() may still be on its way
    head += keep_alive_ ? "connection: keep-alive\r\n\r\n" : "connection: close\r\n\r\n";
    queue(std::move(head));
    if (whole && !head_only_) queue(response.body);
    if (!whole) send_piece(response.body);
  }

  void send_piece(std::string_view bytes) {
    if (bytes.empty() || head_only_) return;
    if (queued_bytes_ > options_.queue_max) {
      log_warn("a client left {} bytes unread and was cut off", queued_bytes_);
      gone();
      return;
    }
    queue(chunked_ ? fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes) : std::string(bytes));
  }

  void finish() {
    if (chunked_ && !head_only_) queue("0\r\n\r\n");
    answered_ = true;
    on_gone_ = nullptr;
    if (!writing_) after_answer();
  }

 private:
  enum class State { kReading, kAnswering, kClosed };
  using Parser = http::request_parser<http::string_body>;

  template <typename F>
  void post(F work) {
    net::post(stream_.get_executor(), [self = weak_from_this().lock(), work] {
      if (self) work(*self);
    });
  }

  bool head_started() const { return buffer_.size() > 0; }

  void read_head() {
    if (state_ == State::kClosed) return;
    state_ = State::kReading;
    parser_.emplace();
    parser_->header_limit(kHeaderMax);
    parser_->body_limit(boost::none);  // once the head is read, it says how much may come
    stream_.expires_after(std::chrono::milliseconds(options_.idle_ms));
    http::async_read_header(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](beast::error_code error, size_t) { self->head_read(error); });
  }

  void head_read(beast::error_code error) {
    if (error) return read_failed(error);
    stream_.expires_after(std::chrono::milliseconds(options_.transfer_ms));
    const uint64_t limit = body_limit();
    if (parser_->content_length() && *parser_->content_length() > limit) return refuse_large(limit);
    parser_->body_limit(limit);
    if (beast::iequals(parser_->get()[http::field::expect], "100-continue"))
      queue("HTTP/1.1 100 Continue\r\n\r\n");
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](beast::error_code body_error, size_t) {
                       self->body_read(body_error);
                     });
  }

  uint64_t body_limit() const {
    if (!options_.body_max_of) return options_.body_max;
    const auto& head = parser_->get();
    return options_.body_max_of(decode_path({head.target().data(), head.target().size()}),
                                std::string(head[http::field::authorization]));
  }

  void refuse_large(uint64_t limit) {
    refuse(413, fmt::format("the request is larger than {} bytes", limit));
  }

  void read_failed(beast::error_code error) {
    if (error == http::error::body_limit) return refuse_large(body_limit());
    if (error == http::error::header_limit)
      return refuse(431, fmt::format("the header is larger than {} bytes", kHeaderMax));
    const bool ours =
        error.category() == http::make_error_code(http::error::end_of_stream).category();
    if (ours && error != http::error::end_of_stream && error != http::error::partial_message)
      return refuse(400, "not an HTTP request: " + error.message());
    close();
  }

  // Answers what never became a request, then ends the connection.
  void refuse(int status, std::string_view message) {
    keep_alive_ = false;
    state_ = State::kAnswering;
    answered_ = false;
    // The errors' status comes from their code; these few are HTTP's own.
    HttpResponse response = error_response({invalid("{}", message)}, "");
    response.status = status;
    send_head(response, "req-" + random_hex(12), true);
    finish();
  }

  void body_read(beast::error_code error) {
    if (error) return read_failed(error);
    auto message = parser_->release();
    http_1_1_ = message.version() >= 11;
    keep_alive_ = keep_alive_ && message.keep_alive();
    head_only_ = message.method() == http::verb::head;
    HttpRequest request;
    request.id = "req-" + random_hex(12);
    request.method = head_only_ ? "GET" : std::string(message.method_string());
    request.path = decode_path({message.target().data(), message.target().size()});
    request.query = query_of({message.target().data(), message.target().size()});
    request.content_type = std::string(message[http::field::content_type]);
    request.authorization = std::string(message[http::field::authorization]);
    request.body = std::move(message.body());
    beast::error_code ignored;
    request.loopback =
        stream_.socket().remote_endpoint(ignored).address().is_loopback() && !ignored;

    state_ = State::kAnswering;
    answered_ = false;
    chunked_ = false;
    added_headers_.clear();
    ++serial_;
    stream_.expires_never();
    watch();
    handle(std::move(request));
  }

  void handle(HttpRequest request);

  // Notices that the client hung up while its answer is being made. Readable means bytes (the next
  // request came early: leave them) or the end.
  void watch() {
    stream_.socket().async_wait(
        tcp::socket::wait_read,
        net::bind_executor(stream_.get_executor(),
                           [self = shared_from_this(), serial = serial_](beast::error_code error) {
                             if (error || !self->answering(serial)) return;
                             char byte = 0;
                             const auto got = ::recv(self->stream_.socket().native_handle(), &byte,
                                                     1, MSG_PEEK | MSG_DONTWAIT);
                             if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
                               self->gone();
                           }));
  }

  void queue(std::string bytes) {
    if (state_ == State::kClosed) return;
    queued_bytes_ += bytes.size();
    queue_.push_back(std::move(bytes));
    if (!writing_) write_next();
  }

  void write_next() {
    writing_ = true;
    stream_.expires_after(std::chrono::milliseconds(options_.transfer_ms));
    net::async_write(
        stream_, net::buffer(queue_.front()),
        [self = shared_from_this()](beast::error_code error, size_t) { self->written(error); });
  }

  void written(beast::error_code error) {
    writing_ = false;
    if (state_ == State::kClosed) return;
    if (error) return gone();
    queued_bytes_ -= queue_.front().size();
    queue_.pop_front();
    if (!queue_.empty()) return write_next();
    if (state_ == State::kAnswering) {
      if (answered_) return after_answer();
      stream_.expires_never();
    }
  }

  void after_answer() {
    if (keep_alive_) return read_head();
    // Closing with unread input would reset the connection and lose the answer's tail.
    beast::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.expires_after(kLingerTime);
    linger();
  }

  void linger() {
    scratch_.resize(16 * 1024);
    stream_.async_read_some(net::buffer(scratch_),
                            [self = shared_from_this()](beast::error_code error, size_t bytes) {
                              self->lingered_ += bytes;
                              if (error || self->lingered_ > kLingerMax) return self->close();
                              self->linger();
                            });
  }

  void gone() {
    const auto gone = std::move(on_gone_);
    on_gone_ = nullptr;
    close();
    if (gone) gone();
  }

  void close() {
    if (state_ == State::kClosed) return;
    state_ = State::kClosed;
    on_gone_ = nullptr;
    beast::error_code ignored;
    stream_.socket().close(ignored);
  }

  Sessions<Session>::Presence presence_;
  beast::tcp_stream stream_;
  const HttpOptions& options_;  // the server's: it waits for its sessions
  const Handler& handler_;

  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  State state_ = State::kReading;
  bool keep_alive_ = true;
  bool http_1_1_ = true;
  bool head_only_ = false;
  bool chunked_ = false;
  bool answered_ = false;
  Headers added_headers_;  // of the answer being made
  uint64_t serial_ = 0;
  std::function<void()> on_gone_;

  std::deque<std::string> queue_;
  size_t queued_bytes_ = 0;
  bool writing_ = false;
  std::string scratch_;
  size_t lingered_ = 0;
};

class SessionExchange : public Exchange {
 public:
  SessionExchange(std::shared_ptr<Session> session, HttpRequest request, uint64_t serial)
      : session_(std::move(session)), request_(std::move(request)), serial_(serial) {}

  const HttpRequest& request() const override { return request_; }

  void add_headers(Headers headers) override {
    if (session_->answering(serial_)) session_->add_headers(std::move(headers));
  }

  void reply(HttpResponse response) override {
    if (!session_->answering(serial_)) return;
    session_->send_head(response, request_.id, true);
    session_->finish();
  }

  void begin_stream(HttpResponse response) override {
    if (session_->answering(serial_)) session_->send_head(response, request_.id, false);
  }

  void write(std::string_view bytes) override {
    if (session_->answering(serial_)) session_->send_piece(bytes);
  }

  void end() override {
    if (session_->answering(serial_)) session_->finish();
  }

  void on_gone(std::function<void()> gone) override {
    if (session_->answering(serial_))
      session_->set_gone(std::move(gone));
    else
      gone();
  }

  void post(std::function<void()> work) override { session_->post_work(std::move(work)); }

 private:
  std::shared_ptr<Session> session_;
  HttpRequest request_;
  uint64_t serial_;
};

void Session::handle(HttpRequest request) {
  handler_(std::make_shared<SessionExchange>(shared_from_this(), std::move(request), serial_));
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(const HttpOptions& options, Handler handler)
      : options_(options),
        handler_(std::move(handler)),
        sessions_(std::make_shared<Sessions<Session>>(options.connections_max)) {}

  ~Impl() { stop(0); }

  Status listen() {
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

  void stop(int drain_ms) {
    if (threads_.empty()) return;
    sessions_->close();
    net::post(acceptor_.get_executor(), [this] {
      boost::system::error_code ignored;
      acceptor_.close(ignored);
    });
    sessions_->for_each([](Session& session) { session.drain(); });
    if (!sessions_->wait_until_empty(std::chrono::milliseconds(drain_ms))) {
      sessions_->for_each([](Session& session) { session.cut(); });
      sessions_->wait_until_empty();
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
    auto session = std::make_shared<Session>(std::move(socket), options_, handler_, sessions_);
    if (sessions_->enter(session.get())) session->start();
  }

  const HttpOptions options_;
  const Handler handler_;
  std::shared_ptr<Sessions<Session>> sessions_;
  net::io_context context_;
  net::executor_work_guard<net::io_context::executor_type> work_{context_.get_executor()};
  tcp::acceptor acceptor_{net::make_strand(context_)};
  int port_ = 0;
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

void HttpServer::stop(int drain_ms) {
  impl_->stop(drain_ms);
}

}  // namespace plinth::server
