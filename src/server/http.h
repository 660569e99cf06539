// HTTP as the handlers see it: plain values, no library.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace plinth::server {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string id = {};      // ours, unique; goes back as x-request-id
  std::string method = {};  // HEAD arrives as GET, its body is not sent
  std::string path = {};    // decoded, without the query
  std::string query = {};   // as it came, without the ?
  std::string content_type = {};
  std::string authorization = {};
  std::string traceparent = {};
  std::string body = {};
  bool loopback = false;  // the peer is this machine
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  Headers headers = {};
  std::string body = {};
};

// One request and the way back to its client.
//
// Everything but post() is called on the connection's strand; the handler starts there, and others
// come there through post(). Either reply() once, or begin_stream(), write() any number of times,
// and end(). After the client is gone all of these do nothing.
class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const HttpRequest& request() const = 0;

  // Go out with the head of the answer, besides its own.
  virtual void add_headers(Headers headers) = 0;

  virtual void reply(HttpResponse response) = 0;

  // Sends the head; `response.body` is the first piece (may be empty).
  virtual void begin_stream(HttpResponse response) = 0;
  // Queues a piece. A client that lets more than the queue's bound pile up is cut off: it is gone.
  virtual void write(std::string_view bytes) = 0;
  virtual void end() = 0;

  // Called once if the client goes away (or is cut off) before the answer is complete, or the
  // answer ended in on_cut().
  virtual void on_gone(std::function<void()> gone) = 0;

  // Called once if the server's end leaves the answer no more time: what it says at once still goes
  // out. Without it, and a moment later in any case, the client is cut off. Again: instead of the
  // one before.
  virtual void on_cut(std::function<void()> cut) = 0;

  // Calls `tick` again and again until the answer is complete or the client gone.
  virtual void every(int interval_ms, std::function<void()> tick) = 0;

  // Runs `work` on the strand, later. From any thread.
  virtual void post(std::function<void()> work) = 0;
};

using ExchangePtr = std::shared_ptr<Exchange>;
using Handler = std::function<void(const ExchangePtr&)>;

}  // namespace plinth::server
