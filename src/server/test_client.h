// A plain HTTP client over one socket, for tests: it can also misbehave.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace plinth::server {

struct Reply {
  int status = 0;  // 0: no answer
  std::map<std::string, std::string> headers;
  std::string body;  // chunks put together
};

class TestClient {
 public:
  explicit TestClient(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    timeval limit{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ =
        ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }

  ~TestClient() { hang_up(); }

  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  bool connected() const { return connected_; }

  void hang_up() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }

  // Sees every answer that has come whole, with what was asked. Null: nobody does.
  inline static std::function<void(const std::string& method, const std::string& path,
                                   const Reply& reply)>
      witness;

  void send_request(std::string_view method, std::string_view path, std::string_view body = "",
                    std::string_view key = "") {
    asked_ = {std::string(method), std::string(path)};
    send(fmt::format("{} {} HTTP/1.1\r\nhost: test\r\n{}content-length: {}\r\n\r\n{}", method, path,
                     key.empty() ? "" : fmt::format("authorization: Bearer {}\r\n", key),
                     body.size(), body));
  }

  // Bytes until `mark` has come, the peer closes, or the time is up.
  std::string read_until(std::string_view mark) {
    while (received_.find(mark) == std::string::npos && receive()) {
    }
    return received_;
  }

  // `has_body` false: the answer to HEAD.
  Reply read_reply(bool has_body = true) {
    Reply reply;
    size_t head_end = 0;
    while ((head_end = received_.find("\r\n\r\n")) == std::string::npos)
      if (!receive()) return reply;
    const std::string head = take(head_end + 4);
    reply.status = std::stoi(head.substr(head.find(' ') + 1, 3));
    for (size_t at = head.find("\r\n") + 2; at + 2 < head.size();) {
      const size_t end = head.find("\r\n", at);
      const size_t colon = head.find(": ", at);
      reply.headers[head.substr(at, colon - at)] = head.substr(colon + 2, end - colon - 2);
      at = end + 2;
    }
    if (!has_body) return reply;
    if (reply.headers.contains("content-length"))
      reply.body = take(std::stoul(reply.headers["content-length"]));
    else
      read_chunks(reply.body);
    if (witness && !asked_.first.empty()) witness(asked_.first, asked_.second, reply);
    return reply;
  }

  Reply request(std::string_view method, std::string_view path, std::string_view body = "",
                std::string_view key = "") {
    send_request(method, path, body, key);
    return read_reply(method != "HEAD");
  }

 private:
  bool receive() {
    char bytes[16 * 1024];
    const auto got = ::recv(socket_, bytes, sizeof bytes, 0);
    if (got > 0) received_.append(bytes, static_cast<size_t>(got));
    return got > 0;
  }

  std::string take(size_t n) {
    while (received_.size() < n && receive()) {
    }
    std::string taken = received_.substr(0, n);
    received_.erase(0, n);
    return taken;
  }

  void read_chunks(std::string& body) {
    while (true) {
      size_t end = 0;
      while ((end = received_.find("\r\n")) == std::string::npos)
        if (!receive()) return;
      const size_t n = std::stoul(take(end + 2), nullptr, 16);
      body += take(n);
      take(2);
      if (n == 0) return;
    }
  }

  int socket_;
  bool connected_ = false;
  std::string received_;
  std::pair<std::string, std::string> asked_;  // method and path of the newest request
};

}  // namespace plinth::server
