// A web server on 127.0.0.1 for tests: one thread, one request per connection, answers written by
// the test. It can close in the middle of an answer, which a polite server library will not do.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "core/check.h"

namespace plinth::hub {

struct FakeRequest {
  std::string path;     // with the query
  std::string headers;  // as they came, lower case

  bool has(const std::string& text) const { return headers.find(text) != std::string::npos; }

  // The first byte asked for; -1: no Range header.
  int64_t range_begin() const {
    const size_t at = headers.find("range: bytes=");
    return at == std::string::npos ? -1 : std::stoll(headers.substr(at + 13));
  }
};

struct FakeReply {
  int status = 200;
  std::vector<std::string> headers = {};
  std::string body = {};
  size_t bytes_sent_max = SIZE_MAX;  // of the body; then the connection is closed
};

class FakeServer {
 public:
  using Handler = std::function<FakeReply(const FakeRequest&)>;

  explicit FakeServer(Handler handler)
      : handler_(std::move(handler)), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    PLINTH_CHECK(::bind(listener_, generic, size) == 0);
    PLINTH_CHECK(::listen(listener_, 16) == 0);
    PLINTH_CHECK(::getsockname(listener_, generic, &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }

  ~FakeServer() {
    ::shutdown(listener_, SHUT_RDWR);  // ends accept()
    thread_.join();
    ::close(listener_);
  }

  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  std::string address(const std::string& host = "127.0.0.1") const {
    return fmt::format("http://{}:{}", host, port_);
  }

  // Everything asked so far, and forgets it.
  std::vector<FakeRequest> take_requests() {
    const std::lock_guard lock(mutex_);
    return std::exchange(requests_, {});
  }

 private:
  void run() {
    while (true) {
      const int connection = ::accept(listener_, nullptr, nullptr);
      if (connection < 0) return;
      serve(connection);
      ::close(connection);
    }
  }

  void serve(int connection) {
    std::string text;
    char buffer[4096];
    while (text.find("\r\n\r\n") == std::string::npos) {
      const ssize_t n = ::recv(connection, buffer, sizeof buffer, 0);
      if (n <= 0) return;
      text.append(buffer, static_cast<size_t>(n));
    }
    const size_t path_begin = text.find(' ') + 1;
    FakeRequest request{.path = text.substr(path_begin, text.find(' ', path_begin) - path_begin),
                        .headers = text.substr(text.find("\r\n") + 2)};
    for (char& c : request.headers) c = static_cast<char>(std::tolower(c));
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    const FakeReply reply = handler_(request);
    std::string answer =
        fmt::format("HTTP/1.1 {} Fake\r\nContent-Length: {}\r\n", reply.status, reply.body.size());
    for (const std::string& header : reply.headers) answer += header + "\r\n";
    answer += "Connection: close\r\n\r\n" + reply.body.substr(0, reply.bytes_sent_max);
    for (size_t sent = 0; sent < answer.size();) {
      const ssize_t n =
          ::send(connection, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return;
      sent += static_cast<size_t>(n);
    }
  }

  Handler handler_;
  int listener_;
  int port_ = 0;
  std::thread thread_;
  std::mutex mutex_;
  std::vector<FakeRequest> requests_;
};

}  // namespace plinth::hub
