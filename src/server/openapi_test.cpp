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

  // Objects say what else may stand in them, arrays what stands in them: otherwise no field of an
  // answer could ever be too much.
  void expect_closed(const Json& schema, const std::string& place) const {
    if (schema.contains("anyOf"))
      for (const Json& one : schema["anyOf"]) expect_closed(one, place);
    const Json types = schema.value("type", Json());
    const auto is = [&](const char* type) {
      return types == type || (types.is_array() && std::ranges::find(types, type) != types.end());
    };
    if (is("object")) {
      EXPECT_TRUE(schema.contains("additionalProperties")) << place;
    }
    if (is("array")) {
      ASSERT_TRUE(schema.contains("items")) << place;
      expect_closed(schema["items"], place + "[]");
    }
    const Json properties = schema.value("properties", Json::object());
    for (const auto& [name, member] : properties.items()) expect_closed(member, place + "." + name);
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
  for (const auto& [name, schema] : schemas.items())
    contract().resolved(schema);  // none is missing
}

TEST_F(OpenApiTest, AnswersAllowNothingThatItDoesNotSay) {
  const Json& schemas = contract().document()["components"]["schemas"];
  for (const Route& route : table())
    for (const std::string& name : {route.response, route.events})
      if (!name.empty()) expect_closed(contract().resolved(schemas[name]), name);
  expect_closed(contract().resolved(schemas["Error"]), "Error");
}

// Each route answers once, and as everywhere in these tests the client holds the answer against the
// document (test_contract.h).
TEST_F(OpenApiTest, EveryRouteAnswersAsItSays) {
  const std::string admin = new_key("plant", {.role = "operator"});
  const auto file = *store_->add_file(store_->tenant("plant")->id, "x", "batch", "{}");
  const auto rows = *store_->add_file(store_->tenant("plant")->id, "x", "fine-tune", "{}");
  const int64_t plant = store_->tenant("plant")->id;
  const auto document_file = *store_->add_file(plant, "x.md", "user_data", "# 电梯\n");
  const auto suite = *store_->add_file(plant, "x.txt", "suite", "合同法律");
  ASSERT_TRUE(store_->publish({.name = "law", .base_digest = model_->digest()}));
  ASSERT_TRUE(store_->publish(
      {.name = "law", .base_digest = model_->digest(), .verdict = R"({"passed": true})"}));
  start({.port = 0, .jobs = {.at_once = 0}});  // jobs stay as they are
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
      {"GET", file_path + "/content", {}},
      {"POST",
       "/v1/batches",
       {{"input_file_id", file.id}, {"endpoint", "/v1/completions"}, {"completion_window", "24h"}}},
      {"GET", "/v1/batches", {}},
      {"POST", "/plinth/v1/tenants", {{"name", "t"}}},
      {"GET", "/plinth/v1/tenants", {}},
      {"POST", "/plinth/v1/keys", {{"tenant", "t"}}},
      {"GET", "/plinth/v1/keys", {}},
      {"PUT", "/plinth/v1/quotas/t", {{"concurrent", 3}}},
      {"GET", "/plinth/v1/quotas/t", {}},
      {"POST", "/plinth/v1/prices", {{"model", "*"}, {"prompt", 1.5}}},
      {"GET", "/plinth/v1/prices", {}},
      {"GET", "/plinth/v1/usage", {}},
      {"GET", "/plinth/v1/statement", {}},
      {"POST", "/plinth/v1/releases/law/rollback", {}},
      {"GET", "/metrics", {}},
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
  const auto ask_one = [&](const std::string& method, const std::string& path, const Json& body) {
    const Reply reply = send(method, path, admin, body.is_null() ? "" : to_text(body));
    EXPECT_EQ(reply.status, 200) << method << " " << path << " " << reply.body;
    return reply;
  };
  for (const Case& one : cases) ask_one(one.method, one.path, one.body);
  const auto newest = [&](const std::string& path, const char* field = "id") {
    const Json list = parse_json(ask_one("GET", path, {}).body, "list").value()["data"];
    EXPECT_FALSE(list.empty()) << path;
    return list.empty() ? std::string() : list[0][field].get<std::string>();
  };
  const std::string batch = "/v1/batches/" + newest("/v1/batches");
  ask_one("GET", batch, {});
  ask_one("POST", batch + "/cancel", {});
  const std::string job = "/v1/fine_tuning/jobs/" + newest("/v1/fine_tuning/jobs");
  for (const char* what : {"", "/events", "/checkpoints"}) ask_one("GET", job + what, {});
  for (const char* what : {"/pause", "/resume", "/cancel"}) ask_one("POST", job + what, {});
  ask_one("GET", "/plinth/v1/runs/" + newest("/plinth/v1/runs"), {});
  ask_one("DELETE", "/plinth/v1/keys/" + newest("/plinth/v1/keys?tenant=t", "prefix"), {});
  const std::string proof = "/plinth/v1/proofs/" + newest("/plinth/v1/proofs");
  ask_one("GET", proof, {});
  ask_one("POST", proof + "/cancel", {});
  start({.port = 0});
  const std::string corpus = "/plinth/v1/corpora/" + newest("/plinth/v1/corpora");
  EXPECT_TRUE(eventually([&] {
    return parse_json(ask_one("GET", corpus, {}).body, "corpus").value()["status"] == "succeeded";
  }));
  ask_one("GET", corpus + "/report", {});
  ask_one("GET", corpus + "/report?format=html", {});
  start({.port = 0, .jobs = {.at_once = 0}});
  ask_one("POST", "/plinth/v1/corpora", {{"name", "y"}, {"files", {document_file.id}}});
  ask_one("POST", "/plinth/v1/corpora/" + newest("/plinth/v1/corpora") + "/cancel", {});
  ask_one("DELETE", file_path, {});
  for (const char* path : {"/v1/chat/completions", "/v1/completions"}) {
    Json body = std::string_view(path).ends_with("chat/completions") ? chat("合同") : prompt;
    body["stream"] = true;
    ask_one("POST", path, body);
  }
  ask_one("POST", "/v1/responses", {{"model", "tiny"}, {"input", "合同"}, {"stream", true}});
  std::string boundary = "--x\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n";
  boundary +=
      "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n{}\r\n--x--";
  TestClient client(server_->port());
  client.send(fmt::format(
      "POST /v1/files HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {}\r\ncontent-type: "
      "multipart/form-data; boundary=x\r\ncontent-length: {}\r\n\r\n{}",
      admin, boundary.size(), boundary));
  const Reply uploaded = client.read_reply();
  EXPECT_EQ(uploaded.status, 200) << uploaded.body;
  EXPECT_EQ(contract().check("POST", "/v1/files", uploaded), "");
  for (const Route& route : table())
    EXPECT_TRUE(contract().seen().contains(route.method + " " + route.path + " 200"))
        << route.method << " " << route.path << " was never asked";
}

// The check itself: what is not documented is found.
TEST_F(OpenApiTest, AnUndocumentedFieldStatusOrTypeIsFound) {
  Contract own(table());
  const Reply fine = send("GET", "/v1/models", key_);
  EXPECT_EQ(own.check("GET", "/v1/models", fine), "");
  Reply changed = fine;
  changed.body.insert(1, R"("surprise": 1,)");
  EXPECT_EQ(own.check("GET", "/v1/models", changed), "additionalProperties: surprise");
  changed = fine;
  changed.status = 418;
  EXPECT_EQ(own.check("GET", "/v1/models", changed), "418 is not documented");
  changed = fine;
  changed.headers["content-type"] = "text/plain";
  EXPECT_EQ(own.check("GET", "/v1/models", changed), "content type 'text/plain' is not documented");
  const Reply refused = send("POST", "/v1/completions", key_, "{}");
  ASSERT_EQ(refused.status, 400);
  changed = refused;
  changed.body = R"({"error": {"message": "no"}})";
  EXPECT_NE(own.check("POST", "/v1/completions", changed), "");
  Json body = chat("合同");
  body["stream"] = true;
  changed = post(body);
  EXPECT_EQ(own.check("POST", "/v1/chat/completions", changed), "");
  changed.body.insert(changed.body.find("{\"choices\""), "{\"x\":1},\n\ndata: ");
  EXPECT_NE(own.check("POST", "/v1/chat/completions", changed), "");
}

}  // namespace
}  // namespace plinth::server
