// One connection of the HTTP server: reads a request, hands it to the handler, writes what comes
// back, and again. Private to http_server.cpp.
//
// Everything runs on the connection's strand but for what says otherwise. A session is kept alive
// by its pending operations and by the exchange.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/http_server.h"
#include "server/sessions.h"
#include "server/transport.h"
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace plinth::server {

class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  // The socket's executor is the session's strand. Options and handler are the server's, which
  // waits for its sessions.
  HttpSession(Transport::Socket socket, TlsContextPtr tls, const HttpOptions& options,
              const Handler& handler, std::shared_ptr<Sessions<HttpSession>> sessions);
  ~HttpSession();
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  void start();
  // After the current answer (now, when there is none) the connection ends. Any thread.
  void drain();
  // Tells an answer that wants to know that its time is over, refuses a request that has not come
  // whole, leaves the end of an answer on its way; anything else ends at once. Any thread.
  void tell_cut();
  // Ends at once. Any thread.
  void cut();
  // Runs it on the strand, later. Any thread.
  void post_work(std::function<void()> work);

  // The exchange's side; `serial` keeps an old exchange from touching a newer answer.
  bool answering(uint64_t serial) const {
    return serial == serial_ && state_ == State::kAnswering && !answered_;
  }

  void add_headers(Headers headers);

  void set_gone(std::function<void()> gone) { on_gone_ = std::move(gone); }

  void set_cut(std::function<void()> cut) { on_cut_ = std::move(cut); }

  // Until the answer is complete. Again: instead of the one before.
  void set_tick(int interval_ms, std::function<void()> tick);
  void send_head(const HttpResponse& response, const std::string& request_id, bool whole);
  void send_piece(std::string_view bytes);
  void finish();

 private:
  enum class State { kReading, kAnswering, kClosed };
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  using ErrorCode = boost::beast::error_code;

  template <typename F>
  void post(F work) {
    boost::asio::post(stream_.get_executor(), [self = weak_from_this().lock(), work] {
      if (self) work(*self);
    });
  }

  // Some of a request has come.
  bool reading() const { return parser_ && (parser_->got_some() || buffer_.size() > 0); }

  void read_head();
  void head_read(ErrorCode error);
  uint64_t body_limit() const;
  void refuse_large(uint64_t limit);
  void read_failed(ErrorCode error);
  // `status`: one of HTTP's own, which no error code stands for; 0: the error's.
  void refuse(const Error& error, int status = 0);
  void stop_reading();
  void body_read(ErrorCode error);
  void handle(HttpRequest request);
  void watch();
  void look_for_end(uint64_t serial);
  void wait_for_tick(uint64_t serial);
  void queue(std::string bytes);
  void write_next();
  void written(ErrorCode error);
  void after_answer();
  void linger();
  void gone();
  void close();

  Sessions<HttpSession>::Presence presence_;
  Transport stream_;
  const HttpOptions& options_;
  const Handler& handler_;

  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  State state_ = State::kReading;
  bool keep_alive_ = true;
  bool http_1_1_ = true;
  bool head_only_ = false;
  bool chunked_ = false;
  bool answered_ = false;
  bool cut_ = false;       // no more is read
  Headers added_headers_;  // of the answer being made
  uint64_t serial_ = 0;
  std::function<void()> on_gone_;
  std::function<void()> on_cut_;
  std::function<void()> on_tick_;
  int tick_ms_ = 0;
  boost::asio::steady_timer tick_timer_;
  boost::asio::steady_timer watch_timer_;

  std::deque<std::string> queue_;
  size_t queued_bytes_ = 0;
  bool writing_ = false;
  std::string scratch_;
  size_t lingered_ = 0;
};

}  // namespace plinth::server
