// A whole server on a tiny random base, for tests.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "core/json.h"
#include "engine/test_model.h"
#include "server/routes.h"
#include "server/server.h"
#include "server/test_client.h"
#include "server/test_contract.h"
#include "server/test_tokenizer.h"
#include "store/test_home.h"

namespace plinth::server {

inline constexpr int64_t kContext = 8192;

inline std::shared_ptr<const model::Model> chat_model() {
  auto tokenizer = chat_tokenizer();
  model::ModelConfig config = engine::tiny_config();
  config.vocabulary = tokenizer->size();
  config.context = kContext;
  const auto random = engine::random_model(config, 7);
  return model::Model::assemble(config, random->weights(), std::move(tokenizer),
                                std::string(kChatMl), random);
}

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    EXPECT_TRUE(store_->create_tenant("a"));
    key_ = store_->create_key("a", "")->secret;
    start({.port = 0});
    TestClient::witness = [this](const std::string& method, const std::string& path,
                                 const Reply& reply) {
      const std::lock_guard lock(contract_mutex_);
      EXPECT_EQ(contract().check(method, path, reply), "")
          << method << " " << path << " " << reply.status << " " << reply.body;
    };
  }

  ~ServerTest() override { TestClient::witness = nullptr; }

  // Every answer is held against it.
  Contract& contract() const {
    static Contract made(table());
    return made;
  }

  void start(const ServerOptions& options) {
    server_.reset();
    auto started = Server::start(options, *store_, *engine_);
    EXPECT_TRUE(started) << started.error().message;
    server_ = *std::move(started);
  }

  static Json chat(std::string_view text) {
    return {{"model", "tiny"},
            {"messages", {{{"role", "user"}, {"content", text}}}},
            {"max_tokens", 24},
            {"seed", 11}};
  }

  // An answer that goes on until the context is full.
  Json endless() const {
    Json body = chat("说");
    body["max_tokens"] = kContext;
    body["stream"] = true;
    body["logit_bias"] = {{std::to_string(model_->tokenizer().eos()), -100}};
    return body;
  }

  Reply post(const Json& body) const { return post_text(to_text(body)); }

  Reply post_to(std::string_view path, const Json& body) const {
    return TestClient(server_->port()).request("POST", path, to_text(body), key_);
  }

  Reply send(std::string_view method, std::string_view path, std::string_view key,
             std::string_view body = "") const {
    return TestClient(server_->port()).request(method, path, body, key);
  }

  std::string new_key(const std::string& tenant, const store::KeyScope& scope) const {
    if (!store_->tenant(tenant)) {
      EXPECT_TRUE(store_->create_tenant(tenant));
    }
    const auto key = store_->create_key(tenant, "", scope);
    EXPECT_TRUE(key);
    return key->secret;
  }

  // Every route of a server like this one.
  std::vector<Route> table() const {
    static const Condition condition;
    auto ledger = *LedgerWriter::start(store_->home());
    auto models = *DomainModels::create(*store_, model_, engine_->adapters());
    auto leases = *store::Leases::open(store_->home());
    auto batches = *BatchRunner::create(store_->home(), *leases);
    auto jobs = *JobRunner::create(store_->home(), *engine_, {}, *leases);
    auto audit = *store::AuditLog::open(store_->home());
    grammar::SchemaCache schemas;
    const Settings settings;
    auto all =
        routes({*store_, *engine_, *models, *ledger, schemas, *batches, *jobs, *audit, settings},
               condition);
    for (Route& route : all) route.handle = nullptr;  // what it works with is gone
    return all;
  }

  // The answer to a request that must be fine.
  Json ask(std::string_view path, const Json& body) const {
    const Reply reply = post_to(path, body);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return parse_json(reply.body, "answer").value();
  }

  Reply post_text(std::string_view body) const {
    return TestClient(server_->port()).request("POST", "/v1/chat/completions", body, key_);
  }

  // The JSON of each "data:" line; [DONE] must be the last one and is left out.
  static std::vector<Json> events(const std::string& stream) {
    std::vector<Json> all;
    size_t at = 0;
    bool done = false;
    while (at < stream.size()) {
      const size_t end = stream.find("\n\n", at);
      EXPECT_NE(end, std::string::npos);
      EXPECT_FALSE(done) << "something after [DONE]";
      const std::string line = stream.substr(at, end - at);
      EXPECT_TRUE(line.starts_with("data: ")) << line;
      at = end + 2;
      if (line == "data: [DONE]") {
        done = true;
        continue;
      }
      auto json = parse_json(line.substr(6), "event");
      EXPECT_TRUE(json) << line;
      if (json) all.push_back(*json);
    }
    EXPECT_TRUE(done);
    return all;
  }

  static std::string text_of(const std::vector<Json>& chunks) {
    std::string text;
    for (const Json& chunk : chunks)
      if (!chunk["choices"].empty()) text += string_or(chunk["choices"][0]["delta"], "content", "");
    return text;
  }

  static Json error_of(const Reply& reply) {
    auto json = parse_json(reply.body, "error body");
    EXPECT_TRUE(json) << reply.body;
    if (!json || !json->contains("error")) return Json::object();
    for (const char* key : {"message", "type", "param", "code"})
      EXPECT_TRUE((*json)["error"].contains(key)) << key;
    return (*json)["error"];
  }

  store::UsageTotal total() const {
    auto totals = store_->usage();
    EXPECT_TRUE(totals);
    return totals && !totals->empty() ? totals->at(0) : store::UsageTotal();
  }

  template <typename F>
  static bool eventually(F holds) {
    for (int i = 0; i < 1000; ++i) {
      if (holds()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  std::mutex contract_mutex_;  // some tests ask from several threads
  store::TestHome home_;
  std::unique_ptr<store::Store> store_ = *store::Store::open(home_.path());
  std::shared_ptr<const model::Model> model_ = chat_model();
  std::unique_ptr<engine::Engine> engine_ = *engine::Engine::start(model_, {});
  std::string key_;
  std::unique_ptr<Server> server_;
};

}  // namespace plinth::server
