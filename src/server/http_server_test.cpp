#include "server/http_server.h"

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include <gtest/gtest.h>

#include "core/json.h"
#include "server/test_client.h"

namespace plinth::server {
namespace {

Handler echo() {
  return [](const ExchangePtr& exchange) {
    exchange->reply({.content_type = "text/plain",
                     .body = exchange->request().method + " " + exchange->request().path + " " +
                             exchange->request().body});
  };
}

std::unique_ptr<HttpServer> start(Handler handler, HttpOptions options = {}) {
  auto server = HttpServer::start(options, std::move(handler));
  EXPECT_TRUE(server) << server.error().message;
  return *std::move(server);
}

TEST(HttpServer, AnswersManyRequestsOnOneConnection) {
  const auto server = start(echo());
  TestClient client(server->port());
  std::string before;
  for (int i = 0; i < 5; ++i) {
    const Reply reply = client.request("POST", "/a%20b?x=1", "body");
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "POST /a b body");
    EXPECT_EQ(reply.headers.at("connection"), "keep-alive");
    EXPECT_NE(reply.headers.at("x-request-id"), before);
    before = reply.headers.at("x-request-id");
  }
}

TEST(HttpServer, AnswersRequestsThatCameEarlyInOrder) {
  const auto server = start(echo());
  TestClient client(server->port());
  client.send_request("GET", "/1");
  client.send_request("GET", "/2");
  EXPECT_EQ(client.read_reply().body, "GET /1 ");
  EXPECT_EQ(client.read_reply().body, "GET /2 ");
}

TEST(HttpServer, HeadHasNoBody) {
  const auto server = start(echo());
  TestClient client(server->port());
  EXPECT_EQ(client.request("HEAD", "/x").headers.at("content-length"), "7");
  EXPECT_EQ(client.request("GET", "/y").body, "GET /y ");
}

TEST(HttpServer, ClosesWhenAskedTo) {
  const auto server = start(echo());
  TestClient client(server->port());
  client.send("GET /x HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n");
  EXPECT_EQ(client.read_reply().headers.at("connection"), "close");
  EXPECT_EQ(client.read_until("never"), "");
}

TEST(HttpServer, RefusesWhatIsTooLargeOrNoRequest) {
  const auto server = start(echo(), {.body_max = 1000});
  {
    TestClient client(server->port());
    const Reply reply = client.request("POST", "/", std::string(200'000, 'x'));
    EXPECT_EQ(reply.status, 413);
    EXPECT_TRUE(parse_json(reply.body, "body")->contains("error"));
  }
  {
    TestClient client(server->port());
    client.send("GET / HTTP/1.1\r\nx: " + std::string(100'000, 'x') + "\r\n\r\n");
    EXPECT_EQ(client.read_reply().status, 431);
  }
  {
    TestClient client(server->port());
    client.send("hello there\r\n\r\n");
    EXPECT_EQ(client.read_reply().status, 400);
  }
  TestClient client(server->port());
  EXPECT_EQ(client.request("GET", "/fine").status, 200);
}

TEST(HttpServer, SaysContinueToThoseWhoWait) {
  const auto server = start(echo());
  TestClient client(server->port());
  client.send("POST /x HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n");
  EXPECT_NE(client.read_until("\r\n\r\n").find("100 Continue"), std::string::npos);
  client.send("hi");
  EXPECT_NE(client.read_until("POST /x hi").find("200 OK"), std::string::npos);
}

TEST(HttpServer, ASilentConnectionIsClosed) {
  const auto server = start(echo(), {.idle_ms = 50});
  TestClient client(server->port());
  EXPECT_EQ(client.read_until("never"), "");
}

TEST(HttpServer, StreamsPiecesAndWorkPostedFromOtherThreads) {
  std::jthread worker;
  const auto server = start([&](const ExchangePtr& exchange) {
    exchange->begin_stream({.content_type = "text/plain", .body = "first "});
    worker = std::jthread([exchange] {
      for (int i = 0; i < 100; ++i)
        exchange->post([exchange, i] { exchange->write(std::to_string(i) + " "); });
      exchange->post([exchange] { exchange->end(); });
      exchange->post([exchange] { exchange->write("too late"); });
    });
  });
  TestClient client(server->port());
  const Reply reply = client.request("GET", "/");
  EXPECT_TRUE(reply.body.starts_with("first 0 1 2 ")) << reply.body;
  EXPECT_TRUE(reply.body.ends_with(" 98 99 ")) << reply.body;
}

TEST(HttpServer, NoticesAClientThatHangsUp) {
  std::promise<void> gone;
  const auto server = start([&](const ExchangePtr& exchange) {
    exchange->on_gone([&gone, exchange] {
      exchange->reply({.body = "nobody reads this"});
      gone.set_value();
    });
  });
  TestClient client(server->port());
  client.send_request("GET", "/");
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  client.hang_up();
  EXPECT_EQ(gone.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST(HttpServer, CutsOffAClientThatDoesNotRead) {
  std::promise<void> gone;
  std::atomic<int> pieces = 0;
  const std::string piece(64 * 1024, 'x');
  const auto server = start([&](const ExchangePtr& exchange) {
    exchange->on_gone([&gone] { gone.set_value(); });
    exchange->begin_stream({});
    for (; pieces < 2000; ++pieces) exchange->write(piece);
  });
  TestClient client(server->port());
  client.send_request("GET", "/");
  EXPECT_EQ(gone.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST(HttpServer, StopLetsTheRunningAnswerFinishAndTakesNothingNew) {
  std::promise<ExchangePtr> started;
  const auto server = start([&](const ExchangePtr& exchange) { started.set_value(exchange); });
  TestClient idle(server->port());
  TestClient client(server->port());
  client.send_request("GET", "/");
  ExchangePtr exchange = started.get_future().get();
  std::thread stopping([&] { server->stop(10'000); });
  EXPECT_EQ(idle.read_until("never"), "");  // an idle connection ends at once
  exchange->post([exchange] { exchange->reply({.body = "done"}); });
  exchange.reset();
  const Reply reply = client.read_reply();
  EXPECT_EQ(reply.body, "done");
  EXPECT_EQ(reply.headers.at("connection"), "close");
  client.hang_up();
  stopping.join();
  TestClient late(server->port());
  EXPECT_FALSE(late.connected());
}

TEST(HttpServer, StopCutsOffWhatTakesTooLong) {
  std::promise<void> gone;
  const auto server = start([&](const ExchangePtr& exchange) {
    exchange->on_gone([&gone, exchange] { gone.set_value(); });
  });
  TestClient client(server->port());
  client.send_request("GET", "/");
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  server->stop(30);
  EXPECT_EQ(gone.get_future().wait_for(std::chrono::seconds(0)), std::future_status::ready);
}

TEST(HttpServer, WhoSaysALastWordIsHeardAndThenGone) {
  std::promise<void> started, gone;
  const auto server = start([&](const ExchangePtr& exchange) {
    exchange->on_cut([weak = std::weak_ptr(exchange)] {
      if (const auto cut = weak.lock()) cut->reply({.status = 503, .body = "the end"});
    });
    // As work does that holds on until it is told.
    exchange->on_gone([&gone, exchange] { gone.set_value(); });
    started.set_value();
  });
  TestClient client(server->port());
  client.send_request("GET", "/");
  started.get_future().wait();
  std::thread stopping([&] { server->stop(30); });
  const Reply reply = client.read_reply();
  client.hang_up();
  stopping.join();
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.body, "the end");
  EXPECT_EQ(gone.get_future().wait_for(std::chrono::seconds(0)), std::future_status::ready);
}

TEST(HttpServer, StopRefusesARequestThatHasNotComeWhole) {
  const std::string head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 20\r\n\r\n";
  for (const std::string& part : {head.substr(0, 15), head, head + "half of it"}) {
    const auto server = start(echo());
    TestClient client(server->port());
    client.send(part);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    std::jthread stopping([&] { server->stop(30); });
    const Reply reply = client.read_reply();
    client.hang_up();
    EXPECT_EQ(reply.status, 503) << part;
    EXPECT_EQ(reply.headers.at("connection"), "close");
    EXPECT_TRUE(reply.headers.contains("retry-after"));
    EXPECT_NE(reply.body.find("server_error"), std::string::npos) << reply.body;
  }
}

TEST(HttpServer, ARequestThatIsOnItsWayWhenTheDrainBeginsIsAnswered) {
  const auto server = start(echo());
  TestClient client(server->port());
  client.send("POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nha");
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  std::thread stopping([&] { server->stop(10'000); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  client.send("lf");
  EXPECT_EQ(client.read_reply().body, "POST /x half");
  client.hang_up();
  stopping.join();
}

TEST(HttpServer, MoreConnectionsThanTheLimitAreClosed) {
  const auto server = start(echo(), {.connections_max = 2});
  TestClient one(server->port());
  TestClient two(server->port());
  EXPECT_EQ(one.request("GET", "/").status, 200);
  EXPECT_EQ(two.request("GET", "/").status, 200);
  TestClient three(server->port());
  EXPECT_EQ(three.request("GET", "/").status, 0);
  EXPECT_EQ(one.request("GET", "/").status, 200);
}

TEST(HttpServer, ATakenPortOrABadAddressIsAnError) {
  const auto server = start(echo());
  EXPECT_EQ(HttpServer::start({.port = server->port()}, echo()).error().code, Code::kUnavailable);
  EXPECT_EQ(HttpServer::start({.address = "not an address"}, echo()).error().code,
            Code::kInvalidArgument);
}

}  // namespace
}  // namespace plinth::server
