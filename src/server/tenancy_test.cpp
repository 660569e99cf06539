#include <algorithm>

#include "server/publish.h"
#include "server/test_server.h"

namespace plinth::server {
namespace {

class TenancyTest : public ServerTest {
 protected:
  Json json_of(const Reply& reply) const {
    EXPECT_EQ(reply.status, 200) << reply.body;
    return parse_json(reply.body, "reply").value();
  }

  Json small() const {
    Json body = chat("合同");
    body["max_tokens"] = 2;
    return body;
  }

  static std::string with_id(const std::string& path, const std::string& id) {
    const size_t star = path.find('*');
    return star == std::string::npos ? path : path.substr(0, star) + id + path.substr(star + 1);
  }

  const std::string operator_ = new_key("plant", {.role = "operator"});
  const std::string owner_ = new_key("a", {.role = "owner"});
  const std::string stranger_ = new_key("b", {.role = "owner"});
};

TEST_F(TenancyTest, EveryRouteIsClosedWithoutAValidKey) {
  const auto revoked = *store_->create_key("a", "");
  ASSERT_TRUE(store_->revoke_key(revoked.info.prefix));
  const std::string expired = new_key("a", {.role = "operator", .expires_ms = 1});
  std::string wrong = key_;
  wrong.back() = wrong.back() == '0' ? '1' : '0';
  int closed = 0;
  for (const Route& route : table()) {
    const std::string path = with_id(route.path, "x");
    for (const std::string& key :
         {std::string(), wrong, revoked.secret, expired, std::string("sk-other")}) {
      const Reply reply = send(route.method, path, key, "{}");
      // The client is on this machine, so metrics are open to it as well.
      if (route.access != Access::kKey) {
        EXPECT_EQ(reply.status, 200) << path;
        continue;
      }
      ++closed;
      EXPECT_EQ(reply.status, 401) << path;
      EXPECT_EQ(error_of(reply)["code"], "invalid_api_key");
      EXPECT_TRUE(reply.headers.contains("www-authenticate"));
    }
  }
  EXPECT_GE(closed, 5 * 25);
  EXPECT_EQ(send("GET", "/secret", "").status, 401);
  EXPECT_EQ(send("GET", "/secret", key_).status, 404);
  const Reply other = send("GET", "/v1/chat/completions", key_);
  EXPECT_EQ(other.status, 405);
  EXPECT_EQ(other.headers.at("allow"), "POST");
}

TEST_F(TenancyTest, RolesOpenWhatIsTheirsOnEveryRoute) {
  for (const std::string role : {"owner", "developer", "viewer", "billing"}) {
    const std::string key = new_key("a", {.role = role});
    store::KeyInfo info;
    info.scope.role = role;
    for (const Route& route : table()) {
      if (route.access != Access::kKey) continue;
      const std::string path = with_id(route.path, "x");
      const Reply reply = send(route.method, path, key, "{}");
      EXPECT_EQ(reply.status == 403, !may(info, route.action)) << role << " " << path << reply.body;
      if (reply.status == 403) {
        EXPECT_EQ(error_of(reply)["code"], "insufficient_permissions");
      }
    }
  }
}

TEST_F(TenancyTest, WhatBelongsToAnotherTenantIsNotFound) {
  const auto tenant = store_->tenant("a");
  const auto file = *store_->add_file(tenant->id, "secret.jsonl", "batch", "{}\n");
  const auto key = store_->create_key("a", "")->info;
  const auto batch = *store_->start_batch({.tenant_id = tenant->id,
                                           .key_id = key.id,
                                           .endpoint = "/v1/completions",
                                           .input_file = file.id});
  const auto jobs = *store::Jobs::open(store_->home());
  const auto job = *jobs->create({.tenant_id = tenant->id,
                                  .key_id = key.id,
                                  .kind = "tune",
                                  .spec = R"({"suffix":"secret"})"});
  const auto suite = *store_->add_file(tenant->id, "secret.jsonl", "suite", "{}\n");
  const auto corpus = *jobs->create({.tenant_id = tenant->id,
                                     .key_id = key.id,
                                     .kind = "refine",
                                     .spec = R"({"name":"secret"})"});
  const auto proof = *jobs->create({.tenant_id = tenant->id,
                                    .key_id = key.id,
                                    .kind = "prove",
                                    .spec = R"({"model":"secret"})"});
  for (const Route& route : table()) {
    if (route.access != Access::kKey) continue;
    std::string path = route.path;
    const size_t star = path.find('*');
    if (star == std::string::npos) {
      // Lists and everything else say nothing of a.
      const Reply reply = send(route.method, path, stranger_, "{}");
      for (const std::string& name : {file.id, batch.id, job.id, suite.id, corpus.id, proof.id,
                                      key.prefix, std::string("secret")})
        EXPECT_EQ(reply.body.find(name), std::string::npos) << path;
      continue;
    }
    const bool of_model = path.starts_with("/v1/models");
    const std::string id = path.starts_with("/v1/files")            ? file.id
                           : path.starts_with("/v1/batches")        ? batch.id
                           : path.starts_with("/v1/fine_tuning")    ? job.id
                           : path.starts_with("/plinth/v1/runs")    ? job.id
                           : path.starts_with("/plinth/v1/corpora") ? corpus.id
                           : path.starts_with("/plinth/v1/proofs")  ? proof.id
                           : path.starts_with("/plinth/v1/suites")  ? suite.id
                           : path.starts_with("/plinth/v1/keys")    ? key.prefix
                           : path.starts_with("/plinth/v1/quotas/") ? "a"
                                                                    : "law";
    path = with_id(path, id);
    const Reply reply = send(route.method, path, stranger_, "{}");
    const bool forbidden = route.action == Action::kAdmin;
    EXPECT_EQ(reply.status, forbidden ? 403 : 404) << route.method << " " << path << reply.body;
    if (!of_model && !forbidden) {
      EXPECT_EQ(reply.body.find("secret"), std::string::npos);
    }
  }
  EXPECT_TRUE(store_->valid_key(key.id)) << "a stranger revoked it";
  EXPECT_TRUE(store_->file(tenant->id, file.id)) << "a stranger deleted it";
  for (const char* path :
       {"/plinth/v1/usage?tenant=a", "/plinth/v1/statement?tenant=a", "/plinth/v1/keys?tenant=a"})
    EXPECT_EQ(send("GET", path, stranger_).status, 404) << path;
}

TEST_F(TenancyTest, AKeySeesOnlyItsModels) {
  ASSERT_TRUE(publish(
      *store_, {.name = "law", .base_digest = model_->digest(), .verdict = R"({"passed": true})"}));
  const std::string key = new_key("a", {.models = {"law"}});
  const Json list = json_of(send("GET", "/v1/models", key));
  ASSERT_EQ(list["data"].size(), 1u);
  EXPECT_EQ(list["data"][0]["id"], "law");
  EXPECT_EQ(send("GET", "/v1/models/tiny", key).status, 404);
  Json body = small();
  EXPECT_EQ(send("POST", "/v1/chat/completions", key, to_text(body)).status, 404);
  body["model"] = "law";
  EXPECT_EQ(send("POST", "/v1/chat/completions", key, to_text(body)).status, 200);
  const std::string only_files = new_key("a", {.actions = {"files"}});
  EXPECT_EQ(send("GET", "/v1/files", only_files).status, 200);
  EXPECT_EQ(send("GET", "/v1/models", only_files).status, 403);
}

TEST_F(TenancyTest, OwnersMakeAndRevokeKeysOfTheirTenant) {
  const Json made = json_of(send("POST", "/plinth/v1/keys", owner_,
                                 R"({"label":"x","role":"viewer","expires_in":3600})"));
  EXPECT_EQ(made["tenant"], "a");
  const std::string secret = made["key"];
  EXPECT_EQ(send("GET", "/v1/models", secret).status, 200);
  const std::string listed = send("GET", "/plinth/v1/keys", owner_).body;
  EXPECT_NE(listed.find(made["prefix"].get<std::string>()), std::string::npos);
  EXPECT_EQ(listed.find(secret), std::string::npos) << "shown once";
  const std::string path = "/plinth/v1/keys/" + made["prefix"].get<std::string>();
  EXPECT_EQ(send("DELETE", path, stranger_).status, 404);
  EXPECT_EQ(send("DELETE", path, owner_).status, 200);
  EXPECT_EQ(send("GET", "/v1/models", secret).status, 401);
  for (const char* body : {R"({"role":"operator"})", R"({"role":"king"})", R"({"actions":["x"]})",
                           R"({"expires_in":-1})", R"({"models":"law"})"})
    EXPECT_EQ(send("POST", "/plinth/v1/keys", owner_, body).status, 400) << body;
  EXPECT_EQ(send("POST", "/plinth/v1/keys", owner_, R"({"tenant":"b"})").status, 404);
  EXPECT_EQ(send("POST", "/plinth/v1/keys", operator_, R"({"tenant":"b"})").status, 200);
}

TEST_F(TenancyTest, AQuotaRefusesWith429AndSaysWhenToComeAgain) {
  EXPECT_EQ(send("PUT", "/plinth/v1/quotas/a", owner_, R"({"requests_per_minute":9})").status, 403);
  const Json quota = json_of(send("PUT", "/plinth/v1/quotas/a", operator_,
                                  R"({"requests_per_minute":2,"tokens_per_minute":100000})"));
  EXPECT_EQ(quota["requests_per_minute"], 2);
  EXPECT_EQ(json_of(send("GET", "/plinth/v1/quotas/a", owner_)), quota);
  const Reply first = post(small());
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.headers.at("x-ratelimit-limit-requests"), "2");
  EXPECT_EQ(first.headers.at("x-ratelimit-remaining-requests"), "1");
  EXPECT_TRUE(first.headers.contains("x-ratelimit-reset-tokens"));
  Json streamed = small();
  streamed["stream"] = true;
  EXPECT_EQ(post(streamed).headers.at("x-ratelimit-remaining-requests"), "0");
  const Reply refused = post(small());
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(error_of(refused)["code"], "rate_limit_exceeded");
  EXPECT_TRUE(refused.headers.contains("retry-after"));
  EXPECT_TRUE(refused.headers.contains("retry-after-ms"));
  // Another tenant's requests don't count.
  EXPECT_EQ(send("POST", "/v1/chat/completions", stranger_, to_text(small())).status, 200);
  json_of(send("PUT", "/plinth/v1/quotas/a", operator_,
               R"({"requests_per_minute":0,"tokens_per_month":1})"));
  const Reply month = post(small());
  EXPECT_EQ(month.status, 429);
  EXPECT_EQ(error_of(month)["code"], "insufficient_quota");
  EXPECT_EQ(month.headers.at("x-should-retry"), "false");
}

TEST_F(TenancyTest, UsageAndStatementAddUp) {
  const Json answer = json_of(post(small()));
  json_of(
      send("POST", "/plinth/v1/prices", operator_, R"({"model":"*","prompt":2,"completion":8})"));
  EXPECT_EQ(send("POST", "/plinth/v1/prices", owner_, R"({"model":"*"})").status, 403);
  const Json usage = json_of(send("GET", "/plinth/v1/usage", owner_));
  ASSERT_EQ(usage["data"].size(), 1u);
  const Json& row = usage["data"][0];
  EXPECT_EQ(row["prompt_tokens"], answer["usage"]["prompt_tokens"]);
  const double prompt = answer["usage"]["prompt_tokens"], completion = 2;
  EXPECT_NEAR(row["cost"].get<double>(), (prompt * 2 + completion * 8) / 1e6, 1e-6);
  const Reply csv = send("GET", "/plinth/v1/statement", owner_);
  EXPECT_TRUE(csv.headers.at("content-type").starts_with("text/csv"));
  EXPECT_TRUE(csv.body.starts_with("month,tenant,model,")) << csv.body;
  EXPECT_NE(csv.body.find("\nall,a,tiny,1,"), std::string::npos) << csv.body;
  EXPECT_EQ(json_of(send("GET", "/plinth/v1/usage?month=2001-01", owner_))["data"].size(), 0u);
  EXPECT_EQ(send("GET", "/plinth/v1/usage?month=may", owner_).status, 400);
  EXPECT_EQ(json_of(send("GET", "/plinth/v1/usage", stranger_))["data"].size(), 0u);
  EXPECT_EQ(json_of(send("GET", "/plinth/v1/usage", operator_))["data"].size(), 1u);
  const std::string billing = new_key("a", {.role = "billing"});
  EXPECT_EQ(send("GET", "/plinth/v1/statement", billing).body, csv.body);
}

TEST_F(TenancyTest, OperatorsMakeTenants) {
  EXPECT_EQ(json_of(send("POST", "/plinth/v1/tenants", operator_, R"({"name":"new"})"))["name"],
            "new");
  EXPECT_EQ(send("POST", "/plinth/v1/tenants", operator_, R"({"name":"new"})").status, 409);
  EXPECT_EQ(send("POST", "/plinth/v1/tenants", owner_, R"({"name":"other"})").status, 403);
  EXPECT_EQ(json_of(send("GET", "/plinth/v1/tenants", operator_))["data"].size(), 4u);
  EXPECT_EQ(json_of(send("GET", "/plinth/v1/engine", operator_))["base"], "tiny");
}

}  // namespace
}  // namespace plinth::server
