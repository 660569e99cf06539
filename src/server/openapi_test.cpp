#include "server/openapi.h"

#include "grammar/test_schema.h"
#include "server/test_server.h"

namespace plinth::server {
namespace {

class OpenApiTest : public ServerTest {
 protected:
  Json document() const {
    const Reply reply = send("GET", "/openapi.json", key_);
    EXPECT_EQ(reply.status, 200);
    return parse_json(reply.body, "document").value();
  }

  // The schema with its references written out.
  static Json resolved(const Json& schema, const Json& schemas) {
    if (schema.is_object() && schema.contains("$ref")) {
      const std::string name = schema["$ref"];
      return resolved(schemas.at(name.substr(name.rfind('/') + 1)), schemas);
    }
    Json out = schema;
    if (out.is_structured())
      for (Json& item : out) item = resolved(item, schemas);
    return out;
  }
};

TEST_F(OpenApiTest, HasEveryRouteAndEverySchemaThatItNames) {
  const Json all = document();
  size_t operations = 0;
  for (const auto& [path, methods] : all["paths"].items()) operations += methods.size();
  const auto routes = table();
  EXPECT_EQ(operations, routes.size());
  const Json& schemas = all["components"]["schemas"];
  for (const Route& route : routes) {
    EXPECT_FALSE(route.summary.empty()) << route.path;
    for (const std::string& name : {route.request, route.response})
      EXPECT_TRUE(name.empty() || schemas.contains(name)) << name;
  }
  for (const auto& [name, schema] : schemas.items()) resolved(schema, schemas);  // none is missing
}

TEST_F(OpenApiTest, AnswersAreWhatItSays) {
  const std::string admin = new_key("plant", {.role = "operator"});
  const auto file = *store_->add_file(store_->tenant("plant")->id, "x", "batch", "{}");
  const auto rows = *store_->add_file(store_->tenant("plant")->id, "x", "fine-tune", "{}");
  const int64_t plant = store_->tenant("plant")->id;
  const auto document_file = *store_->add_file(plant, "x.md", "user_data", "# 电梯\n");
  const auto suite = *store_->add_file(plant, "x.txt", "suite", "合同法律");
  ASSERT_TRUE(store_->publish({.name = "law", .base_digest = model_->digest()}));
  const Json all = document();
  const Json& schemas = all["components"]["schemas"];
  Json tools = chat("合同");
  tools["tools"] = {{{"type", "function"}, {"function", {{"name", "now"}}}}};
  tools["tool_choice"] = "required";
  tools["parallel_tool_calls"] = false;
  tools["max_tokens"] = 200;
  const std::string file_path = "/v1/files/" + file.id;

  struct Case {
    const char* method;
    std::string path;
    Json body;
  };

  const Json prompt = {{"model", "tiny"}, {"prompt", "合同"}, {"max_tokens", 2}, {"logprobs", 1}};
  const std::vector<Case> cases = {
      {"POST", "/v1/chat/completions", chat("合同")},
      {"POST", "/v1/chat/completions", tools},
      {"POST", "/v1/completions", prompt},
      {"POST", "/v1/responses", {{"model", "tiny"}, {"input", "合同"}, {"max_output_tokens", 4}}},
      {"POST", "/v1/embeddings", {{"model", "tiny"}, {"input", "合同"}}},
      {"POST", "/v1/rerank", {{"model", "tiny"}, {"query", "x"}, {"documents", {"a", "b"}}}},
      {"POST", "/v1/tokenize", {{"model", "tiny"}, {"prompt", "x"}, {"return_token_strs", true}}},
      {"POST", "/v1/detokenize", {{"model", "tiny"}, {"tokens", {1, 2}}}},
      {"POST", "/tokenize", {{"prompt", "x"}}},
      {"POST", "/detokenize", {{"tokens", {1, 2}}}},
      {"GET", "/tokenizer_info", {}},
      {"GET", "/v1/models", {}},
      {"GET", "/v1/models/tiny", {}},
      {"GET", "/v1/files", {}},
      {"GET", file_path, {}},
      {"POST",
       "/v1/batches",
       {{"input_file_id", file.id}, {"endpoint", "/v1/completions"}, {"completion_window", "24h"}}},
      {"GET", "/v1/batches", {}},
      {"DELETE", file_path, {}},
      {"POST", "/plinth/v1/tenants", {{"name", "t"}}},
      {"GET", "/plinth/v1/tenants", {}},
      {"POST", "/plinth/v1/keys", {{"tenant", "t"}}},
      {"GET", "/plinth/v1/keys", {}},
      {"PUT", "/plinth/v1/quotas/t", {{"concurrent", 3}}},
      {"GET", "/plinth/v1/quotas/t", {}},
      {"POST", "/plinth/v1/prices", {{"model", "*"}, {"prompt", 1.5}}},
      {"GET", "/plinth/v1/prices", {}},
      {"GET", "/plinth/v1/usage", {}},
      {"GET", "/plinth/v1/engine", {}},
      {"POST", "/v1/fine_tuning/jobs", {{"model", "tiny"}, {"training_file", rows.id}}},
      {"GET", "/v1/fine_tuning/jobs", {}},
      {"POST", "/plinth/v1/corpora", {{"name", "x"}, {"files", {document_file.id}}}},
      {"GET", "/plinth/v1/corpora", {}},
      {"GET", "/plinth/v1/runs", {}},
      {"GET", "/plinth/v1/suites", {}},
      {"GET", "/plinth/v1/suites/" + suite.id, {}},
      {"POST",
       "/plinth/v1/proofs",
       {{"model", "law"}, {"domain", suite.id}, {"general", suite.id}}},
      {"GET", "/plinth/v1/proofs", {}},
      {"GET", "/plinth/v1/jobs", {}},
      {"GET", "/plinth/v1/releases", {}},
      {"GET", "/plinth/v1/adapters", {}},
      {"GET", "/plinth/v1/audit", {}},
      {"GET", "/healthz", {}},
      {"GET", "/openapi.json", {}}};
  for (const Case& one : cases) {
    const Reply reply =
        send(one.method, one.path, admin, one.body.is_null() ? "" : to_text(one.body));
    ASSERT_EQ(reply.status, 200) << one.path << " " << reply.body;
    const Json answer = parse_json(reply.body, "answer").value();
    std::string path = one.path;
    if (!all["paths"].contains(path)) path = path.substr(0, path.rfind('/')) + "/{id}";
    std::string method = one.method;
    for (char& c : method) c = static_cast<char>(std::tolower(c));
    const Json& schema = all.at("paths").at(path).at(
        method)["responses"]["200"]["content"]["application/json"]["schema"];
    EXPECT_EQ(grammar::violation(resolved(schema, schemas), answer), "")
        << one.path << " " << reply.body;
  }
  for (const std::string path : {"corpora", "proofs", "runs"}) {
    const Json listed =
        parse_json(send("GET", "/plinth/v1/" + path, admin).body, "list").value()["data"];
    ASSERT_FALSE(listed.empty()) << path;
    const std::string one = "/plinth/v1/" + path + "/" + listed[0]["id"].get<std::string>();
    const Json answer = parse_json(send("GET", one, admin).body, path).value();
    const Json& schema = all.at("paths").at(
        "/plinth/v1/" + path +
        "/{id}")["get"]["responses"]["200"]["content"]["application/json"]["schema"];
    EXPECT_EQ(grammar::violation(resolved(schema, schemas), answer), "") << to_text(answer);
  }
  const Json error = parse_json(post_text("{").body, "error").value();
  EXPECT_EQ(grammar::violation(resolved(schemas["Error"], schemas), error), "");
}

}  // namespace
}  // namespace plinth::server
