#include <algorithm>
#include <map>
#include <optional>

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

// What tenant a has, and names of the same shape that nobody has.
class OthersThingsTest : public TenancyTest {
 protected:
  static constexpr const char* kModel = "ft:tiny:secret:0123456789ab";

  struct Thing {
    std::string id;
    std::string nobodys;
  };

  OthersThingsTest() {
    start({.port = 0, .jobs = {.at_once = 0}});  // jobs stay queued
    const int64_t tenant = store_->tenant("a")->id;
    const store::KeyInfo key = store_->create_key("a", "")->info;
    const auto jobs = *store::Jobs::open(store_->home());
    const auto job = [&](const char* kind, const char* spec) {
      return jobs->create({.tenant_id = tenant, .key_id = key.id, .kind = kind, .spec = spec})->id;
    };
    const auto file = [&](const char* purpose) {
      return store_->add_file(tenant, "secret.jsonl", purpose, "{}\n")->id;
    };
    key_id_ = key.id;
    add("batch file", file("batch"));
    add("rows", file("fine-tune"));
    add("document", file("user_data"));
    add("suite", file("suite"));
    add("batch", store_
                     ->start_batch({.tenant_id = tenant,
                                    .key_id = key.id,
                                    .endpoint = "/v1/completions",
                                    .input_file = things_["batch file"].id})
                     ->id);
    add("tuning", job("tune", R"({"suffix":"secret"})"));
    add("corpus", job("refine", R"({"name":"secret"})"));
    add("proof",
        job("prove",
            R"({"model":"secret","release":"r","domain":"d","general":"g","tolerance":0.1})"));
    add("key", key.prefix);
    EXPECT_TRUE(jobs->own_model(kModel, tenant));
    EXPECT_TRUE(store_->publish({.name = kModel, .base_digest = model_->digest()}));
    add("model", kModel);
    EXPECT_TRUE(store_->publish({.name = "law", .base_digest = model_->digest()}));  // everybody's
    things_["tenant"] = {"a", "z"};
  }

  void add(const std::string& name, const std::string& id) {
    std::string nobodys = id;
    for (size_t i = nobodys.size() - 4; i < nobodys.size(); ++i)
      nobodys[i] = nobodys[i] == '0' ? '1' : '0';
    things_[name] = {id, nobodys};
  }

  // What a route's path names.
  const Thing* named_in_path(const std::string& path) const {
    static const std::vector<std::pair<std::string, std::string>> kPaths = {
        {"/v1/models/", "model"},         {"/v1/files/", "batch file"},
        {"/v1/batches/", "batch"},        {"/v1/fine_tuning/jobs/", "tuning"},
        {"/plinth/v1/runs/", "tuning"},   {"/plinth/v1/corpora/", "corpus"},
        {"/plinth/v1/proofs/", "proof"},  {"/plinth/v1/suites/", "suite"},
        {"/plinth/v1/keys/", "key"},      {"/plinth/v1/quotas/", "tenant"},
        {"/plinth/v1/releases/", "model"}};
    for (const auto& [stem, name] : kPaths)
      if (path.starts_with(stem)) return &things_.at(name);
    return nullptr;
  }

  // Bodies that name things; empty: nothing in this route's body names one.
  std::optional<std::vector<std::pair<std::string, Json>>> bodies(const std::string& schema) const {
    const auto with = [&](const char* thing, Json body) {
      return std::pair<std::string, Json>(thing, std::move(body));
    };
    const auto id = [&](const char* thing) { return things_.at(thing).id; };
    const Json text = {{{"role", "user"}, {"content", "x"}}};
    if (schema == "ChatRequest")
      return {{with("model", {{"model", id("model")}, {"messages", text}})}};
    if (schema == "CompletionRequest")
      return {{with("model", {{"model", id("model")}, {"prompt", "x"}})}};
    if (schema == "ResponseRequest")
      return {{with("model", {{"model", id("model")}, {"input", "x"}})}};
    if (schema == "EmbeddingsRequest")
      return {{with("model", {{"model", id("model")}, {"input", "x"}})}};
    if (schema == "RerankRequest")
      return {{with("model", {{"model", id("model")}, {"query", "x"}, {"documents", {"y"}}})}};
    if (schema == "TokenizeRequest")
      return {{with("model", {{"model", id("model")}, {"prompt", "x"}})}};
    if (schema == "DetokenizeRequest")
      return {{with("model", {{"model", id("model")}, {"tokens", {1}}})}};
    if (schema == "BatchRequest")
      return {{with("batch file", {{"input_file_id", id("batch file")},
                                   {"endpoint", "/v1/completions"},
                                   {"completion_window", "24h"}})}};
    if (schema == "JobRequest")
      return {{with("rows", {{"model", "tiny"}, {"training_file", id("rows")}}),
               with("corpus", {{"model", "tiny"}, {"training_file", id("corpus")}})}};
    if (schema == "CorpusRequest")
      return {{with("document", {{"name", "x"}, {"files", {id("document")}}})}};
    if (schema == "ProofRequest")
      return {{with("model", {{"model", id("model")}, {"domain", "f"}, {"general", "f"}}),
               with("suite", {{"model", "law"}, {"domain", id("suite")}, {"general", "f"}})}};
    if (schema == "KeyRequest") return {{with("tenant", {{"tenant", "a"}})}};
    for (const char* plain : {"FileUpload", "TenantRequest", "Quota", "Price"})
      if (schema == plain) return std::vector<std::pair<std::string, Json>>();
    return std::nullopt;
  }

  static std::string without(std::string text, const std::string& name) {
    for (size_t at = 0; (at = text.find(name, at)) != std::string::npos;)
      text = text.substr(0, at) + "*" + text.substr(at + name.size());
    return text;
  }

  // Another tenant's thing is as unknown as nobody's, to the letter.
  void expect_unknown(const Route& route, const std::string& path, const Thing& thing,
                      const std::string& body) const {
    const Reply others = send(route.method, path, stranger_, body);
    const Reply nobodys = send(route.method, swapped(path, thing), stranger_, swapped(body, thing));
    const bool forbidden = route.action == Action::kAdmin;
    EXPECT_EQ(others.status, forbidden ? 403 : 404) << route.method << " " << path << others.body;
    EXPECT_EQ(nobodys.status, others.status) << route.method << " " << path << nobodys.body;
    if (thing.id.size() > 1) {
      EXPECT_EQ(without(others.body, thing.id), without(nobodys.body, thing.nobodys)) << path;
    }
  }

  static std::string swapped(std::string text, const Thing& thing) {
    const std::string quoted = thing.id.size() > 1 ? thing.id : "\"" + thing.id + "\"";
    const std::string other = thing.id.size() > 1 ? thing.nobodys : "\"" + thing.nobodys + "\"";
    const size_t at = text.rfind(quoted);
    if (at != std::string::npos) return text.replace(at, quoted.size(), other);
    return text.ends_with("/" + thing.id)
               ? text.substr(0, text.size() - thing.id.size()) + thing.nobodys
               : text;
  }

  std::map<std::string, Thing> things_;
  int64_t key_id_ = 0;
};

// Made from the table that routes: a new route that names things fails here until it says which.
TEST_F(OthersThingsTest, AreAsUnknownAsNobodys) {
  for (const Route& route : table()) {
    if (route.access != Access::kKey) continue;
    if (route.path.find('*') == std::string::npos) {
      // Lists and everything else say nothing of a.
      const Reply reply = send(route.method, route.path, stranger_, "{}");
      for (const auto& [name, thing] : things_)
        if (thing.id.size() > 1) {
          EXPECT_EQ(reply.body.find(thing.id), std::string::npos)
              << route.path << " tells " << name;
        }
      EXPECT_EQ(reply.body.find("secret"), std::string::npos) << route.path;
    } else {
      const Thing* thing = named_in_path(route.path);
      ASSERT_NE(thing, nullptr) << route.path << ": whose thing does it name?";
      const std::string path = with_id(route.path, thing->id);
      // It is there for whom it belongs to: unknown does not mean wrong.
      if (route.method == "GET" && route.path.ends_with('*')) {
        EXPECT_EQ(send("GET", path, owner_).status, 200) << path;
      }
      expect_unknown(route, path, *thing, route.request.empty() ? "" : "{}");
    }
    for (const std::string& name : route.query)
      if (name == "tenant") {
        EXPECT_EQ(send(route.method, route.path + "?tenant=a", stranger_).status, 404)
            << route.path;
      }
    if (route.request.empty()) continue;
    const auto named = bodies(route.request);
    ASSERT_TRUE(named.has_value()) << route.request << ": which of its fields name things?";
    for (const auto& [name, body] : *named)
      expect_unknown(route, route.path, things_.at(name), to_text(body));
  }
  EXPECT_TRUE(store_->valid_key(key_id_)) << "a stranger revoked it";
  const int64_t tenant = store_->tenant("a")->id;
  EXPECT_TRUE(store_->file(tenant, things_.at("batch file").id)) << "a stranger deleted it";
  const auto jobs = *store::Jobs::open(store_->home());
  for (const char* name : {"tuning", "corpus", "proof"})
    EXPECT_EQ(jobs->job(tenant, things_.at(name).id)->state, "validating_files") << name;
  EXPECT_NE(store_->batch(tenant, things_.at("batch").id)->state, "cancelling");
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
  EXPECT_GT(row["core_seconds"].get<double>(), 0);
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
