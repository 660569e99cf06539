#include "server/batch_runner.h"
#include "server/test_server.h"
#include "store/test_store.h"

namespace plinth::server {
namespace {

class ServerBatchesTest : public ServerTest {
 protected:
  Json json_of(const Reply& reply) const {
    EXPECT_EQ(reply.status, 200) << reply.body;
    return parse_json(reply.body, "reply").value();
  }

  static std::string field(const std::string& name, const std::string& value) {
    return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
  }

  Reply post_form(const std::string& fields, const std::string& text) const {
    const std::string body =
        fields +
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"in.jsonl\"\r\n\r\n" +
        text + "\r\n--b--\r\n";
    TestClient client(server_->port());
    client.send(
        fmt::format("POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n"
                    "content-type: multipart/form-data; boundary=b\r\n"
                    "content-length: {}\r\n\r\n{}",
                    key_, body.size(), body));
    return client.read_reply();
  }

  Json upload(const std::string& text, const std::string& purpose = "batch") const {
    return json_of(post_form(field("purpose", purpose), text));
  }

  std::string line(const std::string& id, const Json& body) const {
    return to_text({{"custom_id", id},
                    {"method", "POST"},
                    {"url", "/v1/chat/completions"},
                    {"body", body}}) +
           "\n";
  }

  Json start_batch(const std::string& file) const {
    return ask("/v1/batches", {{"input_file_id", file},
                               {"endpoint", "/v1/chat/completions"},
                               {"completion_window", "24h"},
                               {"metadata", {{"k", "v"}}}});
  }

  Json batch(const std::string& id) const {
    return json_of(send("GET", "/v1/batches/" + id, key_));
  }

  Json wait_for(const std::string& id, const std::string& status) const {
    EXPECT_TRUE(eventually([&] { return batch(id)["status"] == status; })) << batch(id);
    return batch(id);
  }

  std::vector<Json> lines_of(const Json& file) const {
    std::vector<Json> lines;
    if (file.is_null()) return lines;
    const std::string text =
        send("GET", "/v1/files/" + file.get<std::string>() + "/content", key_).body;
    for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
      lines.push_back(parse_json(text.substr(at, text.find('\n', at) - at), "line").value());
    return lines;
  }
};

TEST_F(ServerBatchesTest, FilesComeBackAsTheyWere) {
  const Json file = upload("a\r\nb\n");
  EXPECT_EQ(file["filename"], "in.jsonl");
  EXPECT_EQ(file["bytes"], 5);
  const std::string path = "/v1/files/" + file["id"].get<std::string>();
  EXPECT_EQ(send("GET", path + "/content", key_).body, "a\r\nb\n");
  EXPECT_EQ(json_of(send("GET", path, key_)), file);
  EXPECT_EQ(json_of(send("GET", "/v1/files", key_))["data"], Json::array({file}));
  EXPECT_EQ(json_of(send("DELETE", path, key_))["deleted"], true);
  EXPECT_EQ(send("GET", path, key_).status, 404);
  EXPECT_EQ(send("POST", "/v1/files", key_, "{}").status, 400);
  // More than other requests may have, and only with a key.
  EXPECT_EQ(upload(std::string(size_t{5} << 20, 'x'))["bytes"], 5 << 20);
  const std::string large(size_t{5} << 20, 'x');
  EXPECT_EQ(send("POST", "/v1/files", "", large).status, 413);
}

TEST_F(ServerBatchesTest, AFullStorageQuotaIsNothingToWaitFor) {
  ASSERT_TRUE(store_->set_quota("a", {.storage_bytes = 5}));
  const Json first = upload("abc");
  const Reply full = post_form(field("purpose", "batch"), "def");
  EXPECT_EQ(full.status, 429);
  EXPECT_EQ(error_of(full)["code"], "insufficient_quota");
  EXPECT_EQ(full.headers.at("x-should-retry"), "false");
  EXPECT_EQ(send("DELETE", "/v1/files/" + first["id"].get<std::string>(), key_).status, 200);
  EXPECT_EQ(upload("def")["bytes"], 3);
}

TEST_F(ServerBatchesTest, ListsAreTurnedPageByPage) {
  for (int i = 0; i < 3; ++i) upload(fmt::format("{}", i));
  std::vector<std::string> seen;
  std::string after;
  for (bool more = true; more && seen.size() < 9;) {
    const Json page = json_of(send("GET", "/v1/files?limit=2&after=" + after, key_));
    for (const Json& file : page["data"]) seen.push_back(file["id"]);
    more = page["has_more"];
    after = seen.back();
  }
  EXPECT_EQ(seen.size(), 3u);
  // Clients that only look for an empty page find one.
  EXPECT_TRUE(json_of(send("GET", "/v1/files?after=" + after, key_))["data"].empty());
  EXPECT_TRUE(json_of(send("GET", "/v1/files?after=nobody", key_))["data"].empty());
}

TEST_F(ServerBatchesTest, ListsOfFilesAreNarrowedAndTurnedRound) {
  const Json first = upload("1"), other = upload("2", "user_data"), last = upload("3");
  const auto list = [&](const std::string& query) {
    return json_of(send("GET", "/v1/files?" + query, key_))["data"];
  };
  EXPECT_EQ(list("purpose=user_data"), Json::array({other}));
  EXPECT_EQ(list("purpose=none"), Json::array());
  Json forward = list("order=asc");
  const Json backward = list("order=desc");
  EXPECT_EQ(backward, list(""));
  std::reverse(forward.begin(), forward.end());
  EXPECT_EQ(forward, backward);
  // What would be ignored is refused by its name.
  for (const char* wrong : {"order=up", "limit=0", "limit=x", "limit=10001", "x=1"}) {
    const Reply refused = send("GET", fmt::format("/v1/files?{}", wrong), key_);
    EXPECT_EQ(refused.status, 400) << wrong;
    EXPECT_EQ(error_of(refused)["param"],
              std::string(wrong).substr(0, std::string(wrong).find('=')));
  }
  const Reply more =
      post_form(field("purpose", "batch") + field("expires_after[seconds]", "3600"), "4");
  EXPECT_EQ(more.status, 400);
  EXPECT_EQ(error_of(more)["param"], "expires_after[seconds]");
}

TEST_F(ServerBatchesTest, EveryLineIsAnsweredAndBilledOnce) {
  std::string text;
  for (int i = 0; i < 20; ++i) {
    Json body = chat(fmt::format("合同 {}", i));
    body["max_tokens"] = 3;
    text += line(fmt::format("id-{}", i), body);
  }
  Json streamed = chat("x");
  streamed["stream"] = true;
  text += line("stream", streamed);
  Json nobody = chat("x");
  nobody["model"] = "nobody";
  text += line("nobody", nobody) + "no json\n";
  const Json made = start_batch(upload(text)["id"]);
  EXPECT_EQ(made["metadata"]["k"], "v");
  const Json done = wait_for(made["id"], "completed");
  EXPECT_EQ(done["request_counts"], (Json{{"total", 23}, {"completed", 20}, {"failed", 3}}));
  const auto output = lines_of(done["output_file_id"]);
  ASSERT_EQ(output.size(), 20u);
  for (size_t i = 0; i < output.size(); ++i) {
    EXPECT_EQ(output[i]["custom_id"], fmt::format("id-{}", i));
    EXPECT_EQ(output[i]["response"]["body"]["usage"]["completion_tokens"], 3);
  }
  const auto errors = lines_of(done["error_file_id"]);
  ASSERT_EQ(errors.size(), 3u);
  EXPECT_EQ(errors[1]["response"]["status_code"], 404);
  EXPECT_EQ(total().requests, 20);
  EXPECT_EQ(total().completion_tokens, 60);
  EXPECT_EQ(json_of(send("GET", "/v1/batches", key_))["data"].size(), 1u);
}

TEST_F(ServerBatchesTest, AStopInTheMiddleIsTakenUpByTheNextServer) {
  std::string text;
  for (int i = 0; i < 60; ++i) {
    Json body = chat(fmt::format("合同 {}", i));
    body["ignore_eos"] = true;
    body["max_tokens"] = 100;
    text += line(fmt::format("{}", i), body);
  }
  const std::string id = start_batch(upload(text)["id"])["id"];
  ASSERT_TRUE(eventually([&] { return batch(id)["request_counts"]["completed"] > 3; }));
  start({.port = 0});
  const Json done = wait_for(id, "completed");
  EXPECT_EQ(done["request_counts"], (Json{{"total", 60}, {"completed", 60}, {"failed", 0}}));
  EXPECT_EQ(lines_of(done["output_file_id"]).size(), 60u);
  EXPECT_EQ(total().requests, 60) << "a line is paid once";
}

TEST_F(ServerBatchesTest, ACancelledBatchKeepsWhatIsDone) {
  Json body = chat("合同");
  body["ignore_eos"] = true;
  body["max_tokens"] = kContext;
  std::string text;
  for (int i = 0; i < 12; ++i) text += line(fmt::format("{}", i), body);
  const std::string id = start_batch(upload(text)["id"])["id"];
  ASSERT_TRUE(eventually([&] { return engine_->stats().running > 0; }));
  const Json told = json_of(send("POST", "/v1/batches/" + id + "/cancel", key_));
  EXPECT_TRUE(told["status"] == "cancelling" || told["status"] == "cancelled") << to_text(told);
  wait_for(id, "cancelled");
  EXPECT_TRUE(eventually([&] { return engine_->stats().running == 0; }));
}

TEST_F(ServerBatchesTest, WhatCannotBeDoneIsRefusedByName) {
  const std::string file = upload("\n\n")["id"];
  const auto refused = [&](Json body) {
    const Reply reply = post_to("/v1/batches", body);
    EXPECT_GE(reply.status, 400);
    return string_or(error_of(reply), "param", "nothing");
  };
  const Json good = {
      {"input_file_id", file}, {"endpoint", "/v1/completions"}, {"completion_window", "24h"}};
  for (const char* name : {"input_file_id", "endpoint", "completion_window"}) {
    Json body = good;
    body[name] = "other";
    EXPECT_EQ(refused(body), name);
  }
  const Json empty = ask("/v1/batches", good);
  const Json failed = wait_for(empty["id"], "failed");
  EXPECT_FALSE(failed["errors"].is_null());
}

TEST_F(ServerBatchesTest, ATenantsQuotaHoldsForItsBatches) {
  ASSERT_TRUE(store_->set_quota("a", {.concurrent = 1}));
  Json body = chat("合同");
  body["max_tokens"] = 2;
  const std::string id =
      start_batch(upload(line("0", body) + line("1", body) + line("2", body))["id"])["id"];
  const Json done = wait_for(id, "completed");
  EXPECT_EQ(done["request_counts"]["completed"], 3);
}

// Its month is used up, and its lines wait; the other's are answered meanwhile.
TEST_F(ServerBatchesTest, ATenantWhoWaitsHoldsUpNobodyElse) {
  ASSERT_TRUE(store_->set_quota("a", {.requests_per_month = 1}));
  Json body = chat("合同");
  body["max_tokens"] = 2;
  const std::string text = line("0", body) + line("1", body);
  const std::string waits = start_batch(upload(text)["id"])["id"];
  ASSERT_TRUE(eventually([&] { return batch(waits)["request_counts"]["completed"] == 1; }));
  const std::string own = std::exchange(key_, new_key("b", {}));
  const std::string id = start_batch(upload(text)["id"])["id"];
  EXPECT_EQ(wait_for(id, "completed")["request_counts"]["completed"], 2);
  key_ = own;
  EXPECT_EQ(batch(waits)["status"], "in_progress");
  EXPECT_EQ(json_of(send("POST", "/v1/batches/" + waits + "/cancel", key_))["id"], waits);
  wait_for(waits, "cancelled");
}

TEST_F(ServerBatchesTest, ABatchOfYesterdayExpiresWithWhatItHas) {
  Json body = chat("合同");
  const std::string file = upload(line("0", body) + line("1", body) + line("2", body))["id"];
  server_.reset();
  store::FakeClock clock;
  clock.now_ms = system_clock().unix_ms() - kBatchWindowMs - 1000;
  const auto yesterday = *store::Store::open(store_->home(), clock);
  const auto key = store_->check_key(key_);
  ASSERT_TRUE(key);
  const auto made = yesterday->start_batch({.tenant_id = key->tenant_id,
                                            .key_id = key->id,
                                            .endpoint = "/v1/chat/completions",
                                            .input_file = file});
  ASSERT_TRUE(made);
  ASSERT_TRUE(store_->add_batch_result(made->id,
                                       {.line = 1, .custom_id = "1", .status = 200, .body = "{}"}));
  start({.port = 0});
  const Json done = wait_for(made->id, "expired");
  EXPECT_EQ(done["expired_at"].get<int64_t>() >= done["expires_at"].get<int64_t>(), true);
  EXPECT_EQ(done["request_counts"], (Json{{"total", 3}, {"completed", 1}, {"failed", 0}}));
  EXPECT_EQ(lines_of(done["output_file_id"]).size(), 1u);
  const auto errors = lines_of(done["error_file_id"]);
  ASSERT_EQ(errors.size(), 2u);
  EXPECT_EQ(errors[1]["custom_id"], "2");
  EXPECT_EQ(errors[1]["error"]["code"], "batch_expired");
  EXPECT_TRUE(errors[1]["response"].is_null());
  EXPECT_EQ(total().requests, 0) << "nothing was asked any more";
}

}  // namespace
}  // namespace plinth::server
