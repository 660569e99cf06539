#include "server/http_session.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "core/hash.h"
#include "core/log.h"
#include "core/metrics.h"
#include "server/errors.h"
#include "server/url.h"
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/read.hpp>

namespace plinth::server {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = net::ip::tcp;

constexpr uint32_t kHeaderMax = 16 * 1024;
constexpr size_t kLingerMax = size_t{16} << 20;  // bytes read and dropped before closing
constexpr auto kLingerTime = std::chrono::seconds(2);
// Between looks whether a client that sent bytes early has hung up behind them.
constexpr auto kWatchTime = std::chrono::milliseconds(250);

class SessionExchange : public Exchange {
 public:
  SessionExchange(std::shared_ptr<HttpSession> session, HttpRequest request, uint64_t serial)
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

  void on_cut(std::function<void()> cut) override {
    if (session_->answering(serial_)) session_->set_cut(std::move(cut));
  }

  void every(int interval_ms, std::function<void()> tick) override {
    if (session_->answering(serial_)) session_->set_tick(interval_ms, std::move(tick));
  }

  void post(std::function<void()> work) override { session_->post_work(std::move(work)); }

 private:
  std::shared_ptr<HttpSession> session_;
  HttpRequest request_;
  uint64_t serial_;
};

}  // namespace

HttpSession::HttpSession(Transport::Socket socket, TlsContextPtr tls, const HttpOptions& options,
                         const Handler& handler, std::shared_ptr<Sessions<HttpSession>> sessions)
    : presence_(std::move(sessions)),
      stream_(std::move(socket), std::move(tls)),
      options_(options),
      handler_(handler),
      tick_timer_(stream_.get_executor()),
      watch_timer_(stream_.get_executor()) {}

HttpSession::~HttpSession() {
  (*presence_).leave(this);
}

void HttpSession::handle(HttpRequest request) {
  handler_(std::make_shared<SessionExchange>(shared_from_this(), std::move(request), serial_));
}

void HttpSession::start() {
  post([](HttpSession& self) {
    if (!self.stream_.secure()) return self.read_head();
    self.stream_.tcp().expires_after(std::chrono::milliseconds(self.options_.transfer_ms));
    self.stream_.async_handshake([session = self.shared_from_this()](ErrorCode error) {
      if (error) return session->close();
      session->read_head();
    });
  });
}

void HttpSession::drain() {
  post([](HttpSession& self) {
    self.keep_alive_ = false;
    if (self.state_ == State::kReading && !self.reading()) self.close();
  });
}

void HttpSession::tell_cut() {
  post([](HttpSession& self) {
    if (self.state_ == State::kReading && self.reading()) return self.stop_reading();
    if (self.state_ == State::kAnswering && self.answered_) return;  // its end is on the way
    const auto cut = std::exchange(self.on_cut_, nullptr);
    if (!cut) return self.gone();
    const auto gone = self.on_gone_;
    const uint64_t serial = self.serial_;
    cut();
    // What is still made for it is made for nobody.
    if (!self.answering(serial) && gone) gone();
  });
}

// Part of a request has come. read_failed() answers it: no read may be pending then.
void HttpSession::stop_reading() {
  cut_ = true;
  stream_.tcp().cancel();
}

void HttpSession::cut() {
  post([](HttpSession& self) { self.gone(); });
}

void HttpSession::post_work(std::function<void()> work) {
  net::post(stream_.get_executor(),
            [self = shared_from_this(), work = std::move(work)] { work(); });
}

void HttpSession::add_headers(Headers headers) {
  added_headers_.insert(added_headers_.end(), headers.begin(), headers.end());
}

void HttpSession::set_tick(int interval_ms, std::function<void()> tick) {
  tick_ms_ = interval_ms;
  on_tick_ = std::move(tick);
  wait_for_tick(serial_);
}

void HttpSession::wait_for_tick(uint64_t serial) {
  tick_timer_.expires_after(std::chrono::milliseconds(tick_ms_));
  tick_timer_.async_wait([self = shared_from_this(), serial](ErrorCode error) {
    if (error || !self->answering(serial) || !self->on_tick_) return;
    self->on_tick_();
    if (self->answering(serial)) self->wait_for_tick(serial);
  });
}

void HttpSession::send_head(const HttpResponse& response, const std::string& request_id,
                            bool whole) {
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

void HttpSession::send_piece(std::string_view bytes) {
  if (bytes.empty() || head_only_) return;
  if (queued_bytes_ > options_.queue_max) {
    log_warn("a client left {} bytes unread and was cut off", queued_bytes_);
    gone();
    return;
  }
  queue(chunked_ ? fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes) : std::string(bytes));
}

void HttpSession::finish() {
  if (chunked_ && !head_only_) queue("0\r\n\r\n");
  answered_ = true;
  on_gone_ = nullptr;
  on_cut_ = nullptr;
  on_tick_ = nullptr;
  tick_timer_.cancel();
  watch_timer_.cancel();
  if (!writing_) after_answer();
}

void HttpSession::read_head() {
  if (state_ == State::kClosed) return;
  state_ = State::kReading;
  parser_.emplace();
  parser_->header_limit(kHeaderMax);
  parser_->body_limit(boost::none);  // once the head is read, it says how much may come
  stream_.tcp().expires_after(std::chrono::milliseconds(options_.idle_ms));
  http::async_read_header(
      stream_, buffer_, *parser_,
      [self = shared_from_this()](ErrorCode error, size_t) { self->head_read(error); });
}

void HttpSession::head_read(ErrorCode error) {
  if (error || cut_) return read_failed(error);
  stream_.tcp().expires_after(std::chrono::milliseconds(options_.transfer_ms));
  const uint64_t limit = body_limit();
  if (parser_->content_length() && *parser_->content_length() > limit) return refuse_large(limit);
  parser_->body_limit(limit);
  if (beast::iequals(parser_->get()[http::field::expect], "100-continue"))
    queue("HTTP/1.1 100 Continue\r\n\r\n");
  http::async_read(
      stream_, buffer_, *parser_,
      [self = shared_from_this()](ErrorCode body_error, size_t) { self->body_read(body_error); });
}

uint64_t HttpSession::body_limit() const {
  if (!options_.body_max_of) return options_.body_max;
  const auto& head = parser_->get();
  return options_.body_max_of(decode_path({head.target().data(), head.target().size()}),
                              std::string(head[http::field::authorization]));
}

void HttpSession::refuse_large(uint64_t limit) {
  refuse(invalid("the request is larger than {} bytes", limit), 413);
}

void HttpSession::read_failed(ErrorCode error) {
  if (cut_)
    return refuse({Code::kUnavailable, "the server is shutting down: the request came too late"});
  if (error == http::error::body_limit) return refuse_large(body_limit());
  if (error == http::error::header_limit)
    return refuse(invalid("the header is larger than {} bytes", kHeaderMax), 431);
  const bool ours =
      error.category() == http::make_error_code(http::error::end_of_stream).category();
  if (ours && error != http::error::end_of_stream && error != http::error::partial_message)
    return refuse(invalid("not an HTTP request: {}", error.message()));
  close();
}

// Answers what never became a request, then ends the connection.
void HttpSession::refuse(const Error& error, int status) {
  keep_alive_ = false;
  state_ = State::kAnswering;
  answered_ = false;
  HttpResponse response = error_response({error}, "");
  if (status != 0) response.status = status;
  send_head(response, "req-" + random_hex(12), true);
  finish();
}

void HttpSession::body_read(ErrorCode error) {
  if (error || cut_) return read_failed(error);
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
  request.traceparent = std::string(message["traceparent"]);
  request.body = std::move(message.body());
  ErrorCode ignored;
  request.loopback = stream_.socket().remote_endpoint(ignored).address().is_loopback() && !ignored;

  state_ = State::kAnswering;
  answered_ = false;
  chunked_ = false;
  added_headers_.clear();
  ++serial_;
  stream_.tcp().expires_never();
  watch();
  handle(std::move(request));
}

// Notices that the client hung up while its answer is being made. Readable means bytes (the next
// request came early, or a word of TLS: leave them) or the end.
void HttpSession::watch() {
  stream_.socket().async_wait(
      tcp::socket::wait_read,
      net::bind_executor(stream_.get_executor(),
                         [self = shared_from_this(), serial = serial_](ErrorCode error) {
                           if (!error) self->look_for_end(serial);
                         }));
}

void HttpSession::look_for_end(uint64_t serial) {
  if (!answering(serial)) return;
  pollfd socket = {.fd = stream_.socket().native_handle(), .events = POLLRDHUP, .revents = 0};
  if (::poll(&socket, 1, 0) > 0) return gone();
  // There is something to read, so waiting for that would end at once.
  watch_timer_.expires_after(kWatchTime);
  watch_timer_.async_wait([self = shared_from_this(), serial](ErrorCode error) {
    if (!error) self->look_for_end(serial);
  });
}

void HttpSession::queue(std::string bytes) {
  if (state_ == State::kClosed) return;
  queued_bytes_ += bytes.size();
  queue_.push_back(std::move(bytes));
  if (!writing_) write_next();
}

void HttpSession::write_next() {
  writing_ = true;
  stream_.tcp().expires_after(std::chrono::milliseconds(options_.transfer_ms));
  net::async_write(stream_, net::buffer(queue_.front()),
                   [self = shared_from_this()](ErrorCode error, size_t) { self->written(error); });
}

void HttpSession::written(ErrorCode error) {
  writing_ = false;
  if (state_ == State::kClosed) return;
  if (error) return gone();
  queued_bytes_ -= queue_.front().size();
  queue_.pop_front();
  if (!queue_.empty()) return write_next();
  if (state_ == State::kAnswering) {
    if (answered_) return after_answer();
    stream_.tcp().expires_never();
  }
}

void HttpSession::after_answer() {
  if (keep_alive_) return read_head();
  if (stream_.secure()) {
    stream_.tcp().expires_after(kLingerTime);
    return stream_.async_shutdown([self = shared_from_this()](ErrorCode) { self->close(); });
  }
  // Closing with unread input would reset the connection and lose the answer's tail.
  ErrorCode ignored;
  stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  stream_.tcp().expires_after(kLingerTime);
  linger();
}

void HttpSession::linger() {
  scratch_.resize(16 * 1024);
  stream_.async_read_some(net::buffer(scratch_),
                          [self = shared_from_this()](ErrorCode error, size_t bytes) {
                            self->lingered_ += bytes;
                            if (error || self->lingered_ > kLingerMax) return self->close();
                            self->linger();
                          });
}

void HttpSession::gone() {
  const auto gone = std::move(on_gone_);
  on_gone_ = nullptr;
  close();
  if (gone) gone();
}

void HttpSession::close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  on_gone_ = nullptr;
  on_cut_ = nullptr;
  on_tick_ = nullptr;
  tick_timer_.cancel();
  watch_timer_.cancel();
  ErrorCode ignored;
  stream_.socket().close(ignored);
}

}  // namespace plinth::server
