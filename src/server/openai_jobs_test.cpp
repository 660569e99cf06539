#include "server/test_server.h"

namespace plinth::server {
namespace {

class JobsApiTest : public ServerTest {
 protected:
  JobsApiTest() {
    std::string rows;
    for (int i = 0; i < 12; ++i)
      rows += to_text({{"messages",
                        {{{"role", "user"}, {"content", "合同" + std::to_string(i)}},
                         {{"role", "assistant"}, {"content", "法律"}}}}}) +
              "\n";
    file_ = store_->add_file(store_->tenant("a")->id, "rows.jsonl", "fine-tune", rows)->id;
  }

  Json request(double epochs) const {
    return {{"model", "tiny"},
            {"training_file", file_},
            {"suffix", "lift"},
            {"method",
             {{"type", "supervised"},
              {"supervised",
               {{"hyperparameters",
                 {{"n_epochs", epochs}, {"batch_size", 2}, {"rank", 2}, {"sequence", 64}}}}}}}};
  }

  std::string create(double epochs) const {
    return string_or(ask("/v1/fine_tuning/jobs", request(epochs)), "id", "");
  }

  Json job(const std::string& id) const {
    return parse_json(send("GET", "/v1/fine_tuning/jobs/" + id, key_).body, "job").value();
  }

  bool becomes(const std::string& id, const std::string& state) const {
    return eventually([&] { return job(id)["status"] == state; });
  }

  Json list(const std::string& path) const {
    return parse_json(send("GET", path, key_).body, "list").value()["data"];
  }

  // Steps that the job has reported.
  size_t steps(const std::string& id) const {
    const Json events = list("/v1/fine_tuning/jobs/" + id + "/events?limit=10000");
    return static_cast<size_t>(std::ranges::count_if(
        events, [](const Json& event) { return event["type"] == "metrics"; }));
  }

  Json ask_model(const std::string& model) const {
    Json body = chat("合同");
    body["model"] = model;
    return body;
  }

  std::string file_;
};

TEST_F(JobsApiTest, AJobMakesAModelForItsTenantAlone) {
  const std::string id = create(1);
  ASSERT_TRUE(becomes(id, "succeeded")) << to_text(job(id));
  const Json done = job(id);
  const std::string model = done["fine_tuned_model"];
  EXPECT_TRUE(model.starts_with("ft:tiny:lift:")) << model;
  EXPECT_GT(done["trained_tokens"].get<int64_t>(), 0);
  EXPECT_GE(steps(id), 1u);
  const Json checkpoints = list("/v1/fine_tuning/jobs/" + id + "/checkpoints");
  ASSERT_EQ(checkpoints.size(), 1u);
  EXPECT_EQ(checkpoints[0]["fine_tuned_model_checkpoint"], model);
  EXPECT_EQ(post(ask_model(model)).status, 200);
  EXPECT_EQ(send("GET", "/v1/models/" + model, key_).status, 200);

  const std::string stranger = new_key("b", {.role = "owner"});
  EXPECT_EQ(send("POST", "/v1/chat/completions", stranger, to_text(ask_model(model))).status, 404);
  EXPECT_EQ(send("GET", "/v1/models/" + model, stranger).status, 404);
  EXPECT_EQ(send("GET", "/v1/models", stranger).body.find(model), std::string::npos);
  EXPECT_EQ(send("GET", "/v1/fine_tuning/jobs", stranger).body.find(id), std::string::npos);
  EXPECT_EQ(send("GET", "/v1/fine_tuning/jobs/" + id, stranger).status, 404);
}

TEST_F(JobsApiTest, PreferencesMakeAModelToo) {
  std::string rows;
  for (int i = 0; i < 12; ++i)
    rows +=
        to_text({{"input",
                  {{"messages", {{{"role", "user"}, {"content", "合同" + std::to_string(i)}}}}}},
                 {"preferred_output", {{{"role", "assistant"}, {"content", "法律"}}}},
                 {"non_preferred_output", {{{"role", "assistant"}, {"content", "不"}}}}}) +
        "\n";
  Json body = request(1);
  body["training_file"] =
      store_->add_file(store_->tenant("a")->id, "pairs.jsonl", "fine-tune", rows)->id;
  body["method"] = {
      {"type", "dpo"},
      {"dpo",
       {{"hyperparameters",
         {{"beta", 0.3}, {"n_epochs", 1}, {"batch_size", 2}, {"rank", 2}, {"sequence", 64}}}}}};
  const std::string id = string_or(ask("/v1/fine_tuning/jobs", body), "id", "");
  ASSERT_TRUE(becomes(id, "succeeded")) << to_text(job(id));
  const Json done = job(id);
  EXPECT_EQ(done["method"]["type"], "dpo");
  EXPECT_EQ(done["method"]["dpo"]["hyperparameters"]["beta"], 0.3);
  EXPECT_EQ(post(ask_model(done["fine_tuned_model"])).status, 200);
  // Rows without an answer to prefer are no pairs.
  body["training_file"] = file_;
  const std::string failed = string_or(ask("/v1/fine_tuning/jobs", body), "id", "");
  ASSERT_TRUE(becomes(failed, "failed"));
  // The tenant's file by its name, not by where the server keeps it.
  EXPECT_EQ(job(failed)["error"]["message"].get<std::string>().find(home_.path().string()),
            std::string::npos);
  EXPECT_NE(job(failed)["error"]["message"].get<std::string>().find("method dpo learns from pairs"),
            std::string::npos)
      << to_text(job(failed));
}

TEST_F(JobsApiTest, AValidationFileIsMeasuredAndNotLearnt) {
  std::string rows;
  for (int i = 0; i < 3; ++i)
    rows += to_text({{"messages",
                      {{{"role", "user"}, {"content", "法律" + std::to_string(i)}},
                       {{"role", "assistant"}, {"content", "合同"}}}}}) +
            "\n";
  Json body = request(2);
  body["validation_file"] =
      store_->add_file(store_->tenant("a")->id, "held.jsonl", "fine-tune", rows)->id;
  const std::string id = string_or(ask("/v1/fine_tuning/jobs", body), "id", "");
  ASSERT_TRUE(becomes(id, "succeeded")) << to_text(job(id));
  EXPECT_EQ(job(id)["validation_file"], body["validation_file"]);
  const Json events = list("/v1/fine_tuning/jobs/" + id + "/events?limit=1000");
  EXPECT_TRUE(std::ranges::any_of(
      events, [](const Json& event) { return event["data"].contains("valid_loss"); }));
  const auto done = (*store::Jobs::open(store_->home()))->job(0, id);
  const Json result = parse_json(done->result, "result").value();
  EXPECT_EQ(result["heldout_samples"], 3) << "these and no others are held out";
  EXPECT_EQ(result["rows"], 12);
}

TEST_F(JobsApiTest, PausedItRestsResumedItGoesOnCancelledItEnds) {
  const std::string path = "/v1/fine_tuning/jobs/" + create(1000);
  const std::string id = path.substr(path.rfind('/') + 1);
  ASSERT_TRUE(eventually([&] { return steps(id) > 0; }));
  EXPECT_EQ(send("POST", path + "/pause", key_).status, 200);
  EXPECT_EQ(job(id)["status"], "paused");
  EXPECT_EQ(send("POST", path + "/pause", key_).status, 400);
  // Another one goes first meanwhile.
  EXPECT_TRUE(becomes(create(1), "succeeded"));
  const size_t before = steps(id);
  EXPECT_EQ(send("POST", path + "/resume", key_).status, 200);
  ASSERT_TRUE(eventually([&] { return steps(id) > before; }));
  const Json newest = list(path + "/events?limit=10000");
  // It went on behind the steps that it had done.
  std::set<int64_t> seen;
  for (const Json& event : newest)
    if (event["type"] == "metrics") {
      EXPECT_TRUE(seen.insert(event["data"]["step"].get<int64_t>()).second) << to_text(event);
    }
  EXPECT_EQ(send("POST", path + "/cancel", key_).status, 200);
  EXPECT_EQ(job(id)["status"], "cancelled");
  EXPECT_EQ(send("POST", path + "/resume", key_).status, 400);
  EXPECT_TRUE(becomes(create(1), "succeeded"));  // the runner is free again
  EXPECT_EQ(job(id)["status"], "cancelled");
}

TEST_F(JobsApiTest, TheNextServerGoesOnWithWhatWasRunning) {
  // Long enough never to end here, however late this thread looks.
  const std::string id = create(1000);
  ASSERT_TRUE(eventually([&] { return steps(id) > 2; }));
  server_.reset();
  const auto jobs = *store::Jobs::open(store_->home());
  ASSERT_EQ(jobs->job(0, id)->state, "running");
  const auto before =
      static_cast<size_t>(std::ranges::count(*jobs->events(id), "metrics", &store::JobEvent::type));
  start({.port = 0});
  ASSERT_TRUE(eventually([&] { return steps(id) > before; }));
  const Json events = list("/v1/fine_tuning/jobs/" + id + "/events?limit=10000");
  EXPECT_TRUE(std::ranges::any_of(
      events, [](const Json& event) { return event["message"] == "Going on with the job"; }));
  std::set<int64_t> seen;
  for (const Json& event : events)
    if (event["type"] == "metrics") {
      EXPECT_TRUE(seen.insert(event["data"]["step"].get<int64_t>()).second) << to_text(event);
    }
  EXPECT_EQ(send("POST", "/v1/fine_tuning/jobs/" + id + "/cancel", key_).status, 200);
}

TEST_F(JobsApiTest, AFileWithoutRowsFailsTheJobByName) {
  Json body = request(1);
  body["training_file"] =
      store_->add_file(store_->tenant("a")->id, "bad.jsonl", "fine-tune", "{\"x\": 1}\n")->id;
  const std::string id = string_or(ask("/v1/fine_tuning/jobs", body), "id", "");
  ASSERT_TRUE(becomes(id, "failed"));
  EXPECT_FALSE(job(id)["error"]["message"].get<std::string>().empty());
}

TEST_F(JobsApiTest, WhatIsNotSupportedIsRefusedByName) {
  const std::string batch_file =
      store_->add_file(store_->tenant("a")->id, "b.jsonl", "batch", "{}\n")->id;
  const std::vector<std::pair<Json, std::string>> cases = {
      {{{"model", "other"}}, "model"},
      {{{"training_file", "file-0"}}, "training_file"},
      {{{"training_file", batch_file}}, "training_file"},
      {{{"suffix", "a b"}}, "suffix"},
      {{{"validation_file", batch_file}}, "validation_file"},
      {{{"training_file", "corpus-0"}}, "training_file"},
      {{{"method", {{"type", "reinforcement"}}}}, "method.type"},
      {{{"n_epochs", 3}}, "n_epochs"},
      {{{"method",
         {{"type", "supervised"}, {"supervised", {{"hyperparameters", {{"n_epochs", 0}}}}}}}},
       "method.supervised.hyperparameters.n_epochs"},
      {{{"method", {{"type", "supervised"}, {"supervised", {{"hyperparameters", {{"beta", 1}}}}}}}},
       "method.supervised.hyperparameters.beta"}};
  for (const auto& [change, param] : cases) {
    Json body = request(1);
    body.update(change);
    const Reply reply = post_to("/v1/fine_tuning/jobs", body);
    EXPECT_TRUE(reply.status == 400 || reply.status == 404) << reply.status << to_text(change);
    EXPECT_EQ(error_of(reply)["param"], param) << reply.body;
  }
}

}  // namespace
}  // namespace plinth::server
