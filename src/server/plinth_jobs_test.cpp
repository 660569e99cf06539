// Corpora, proofs, suites and runs over HTTP, as one tenant makes them and another doesn't see
// them.
#include <fstream>

#include "server/test_server.h"

namespace plinth::server {
namespace {

class PlinthJobsTest : public ServerTest {
 protected:
  Json get(const std::string& path) const { return get_as(key_, path); }

  Json get_as(const std::string& key, const std::string& path) const {
    const Reply reply = send("GET", path, key);
    EXPECT_EQ(reply.status, 200) << path << " " << reply.body;
    auto json = parse_json(reply.body, "answer");
    return json ? *json : Json();
  }

  std::string upload(const std::string& purpose, const std::string& name,
                     const std::string& bytes) const {
    return store_->add_file(store_->tenant("a")->id, name, purpose, bytes)->id;
  }

  // The object when it has ended.
  Json ended(const std::string& path) const {
    Json now;
    EXPECT_TRUE(eventually([&] {
      now = get(path);
      return now["status"] != "queued" && now["status"] != "running";
    })) << to_text(now);
    return now;
  }

  // No stretch of it, however a sequence is cut, stands in another one: such a sample held out
  // would be one that is trained on as well.
  static std::string document(int i) {
    return fmt::format(
        "# 第{0}号电梯\n\n第{0}号电梯在{1}年{2}月由维保{0}组检查了钢丝绳{0}、制动器{0}和限速器{0}，"
        "结果{0}合格，记录{0}在案。\n",
        i, 2000 + i, 1 + i % 12);
  }
};

TEST_F(PlinthJobsTest, UploadsBecomeACorpusThatATuningLearnsFrom) {
  Json files = Json::array();
  for (int i = 0; i < 8; ++i)
    files.push_back(upload("user_data", fmt::format("lift-{}.md", i % 7), document(i)));
  const std::string exam = upload("suite", "exam.jsonl",
                                  R"({"question":"第一号电梯检查了什么？","answer":"钢丝绳"})"
                                  "\n");
  const Json made =
      ask("/plinth/v1/corpora", {{"name", "lifts"}, {"files", files}, {"suites", {exam}}});
  const std::string path = "/plinth/v1/corpora/" + made["id"].get<std::string>();
  const Json corpus = ended(path);
  ASSERT_EQ(corpus["status"], "succeeded") << to_text(corpus);
  EXPECT_EQ(corpus["documents_in"], 8);
  EXPECT_EQ(corpus["documents"].get<int>() + corpus["rejects"].get<int>(), 8);
  EXPECT_EQ(get(path + "/report")["documents_out"], corpus["documents"]);
  EXPECT_NE(send("GET", path + "/report?format=html", key_).body.find("<html"), std::string::npos);
  EXPECT_EQ(get("/plinth/v1/corpora")["data"].size(), 1u);

  const std::string stranger = new_key("b", {.role = "owner"});
  EXPECT_EQ(send("GET", path, stranger).status, 404);
  EXPECT_EQ(send("GET", path + "/report", stranger).status, 404);
  EXPECT_EQ(send("POST", path + "/cancel", stranger).status, 404);
  EXPECT_EQ(get_as(stranger, "/plinth/v1/corpora")["data"].size(), 0u);
  const std::string plant = new_key("plant", {.role = "operator"});
  EXPECT_EQ(get_as(plant, "/plinth/v1/corpora")["data"][0]["tenant"], "a");
  EXPECT_EQ(send("POST", path + "/cancel", key_).status, 400) << "it has ended";
  EXPECT_EQ(send("GET", "/v1/fine_tuning/jobs/" + made["id"].get<std::string>(), key_).status, 404);

  const Json tuning = {{"model", "tiny"},
                       {"training_file", made["id"]},
                       {"hyperparameters", {{"n_epochs", 1}, {"rank", 2}, {"sequence", 64}}}};
  EXPECT_EQ(send("POST", "/v1/fine_tuning/jobs", stranger, to_text(tuning)).status, 404);
  const Json job = ask("/v1/fine_tuning/jobs", tuning);
  const std::string run_path = "/plinth/v1/runs/" + job["id"].get<std::string>();
  const Json run = ended(run_path);
  ASSERT_EQ(run["status"], "succeeded") << to_text(run);
  EXPECT_EQ(run["lineage"]["base_sha256"], model_->digest());
  EXPECT_GE(run["metrics"].size(), 1u);
  EXPECT_EQ(get("/plinth/v1/runs")["data"].size(), 1u);
  EXPECT_EQ(send("GET", run_path, stranger).status, 404);
  // What it read stands in the ledger, once.
  const auto usage = *store_->usage();
  ASSERT_EQ(usage.size(), 1u);
  EXPECT_EQ(usage[0].model, "tiny");
  EXPECT_EQ(usage[0].trained_tokens, run["result"]["trained_tokens"].get<int64_t>());
}

TEST_F(PlinthJobsTest, AFolderIsRefinedWhereTheSettingsLendIt) {
  const Path docs = home_.folder() / "docs";
  std::filesystem::create_directories(docs / "deep");
  std::filesystem::create_directories(home_.folder() / "docs-of-others");
  std::ofstream(docs / "deep/one.md") << document(1);
  std::filesystem::create_directory_symlink("/", docs / "outside");
  std::ofstream(home_.folder() / "settings.toml")
      << "[[folder]]\ntenant = \"a\"\npath = \"docs\"\n";
  start({.port = 0, .settings = home_.folder() / "settings.toml"});
  const auto create = [&](const std::string& key, const std::string& folder) {
    return send("POST", "/plinth/v1/corpora", key, to_text({{"name", "x"}, {"folder", folder}}));
  };
  const std::string stranger = new_key("b", {});
  for (const std::string& folder : {home_.folder().string(), docs.string() + "/../docs-of-others",
                                    docs.string() + "/outside/etc", docs.string() + "-of-others",
                                    std::string("/etc"), docs.string() + "/missing"}) {
    const Reply reply = create(key_, folder);
    EXPECT_EQ(reply.status, 400) << folder;
    EXPECT_EQ(error_of(reply)["param"], "folder") << folder;
  }
  EXPECT_EQ(create(stranger, docs.string()).status, 400);
  const Reply made = create(key_, docs.string() + "/deep");
  ASSERT_EQ(made.status, 200) << made.body;
  const std::string id = parse_json(made.body, "corpus").value()["id"];
  const Json corpus = ended("/plinth/v1/corpora/" + id);
  EXPECT_EQ(corpus["documents"], 1) << to_text(corpus);
  // What lies elsewhere is not read through a link.
  std::filesystem::create_symlink("/etc/passwd", docs / "deep/two.md");
  const Reply linked = create(key_, docs.string());
  ASSERT_EQ(linked.status, 200) << linked.body;
  const std::string refused = parse_json(linked.body, "corpus").value()["id"];
  const Json failed = ended("/plinth/v1/corpora/" + refused);
  EXPECT_EQ(failed["status"], "failed");
  EXPECT_NE(failed["error"].get<std::string>().find("deep/two.md is a link"), std::string::npos);
}

TEST_F(PlinthJobsTest, AProofComparesAReleaseWithItsBase) {
  ASSERT_TRUE(store_->publish({.name = "law", .base_digest = model_->digest()}));
  const std::string domain = upload("suite", "exam.jsonl",
                                    R"({"question":"合同","choices":["法律","合同"],"answer":0})"
                                    "\n"
                                    R"({"question":"法律","choices":["法律","合同"],"answer":1})"
                                    "\n");
  const std::string general = upload("suite", "general.txt", "合同法律合同\n\n法律合同法律\n");
  const std::string broken = upload("suite", "broken.jsonl", "{\n");
  EXPECT_EQ(get("/plinth/v1/suites")["data"].size(), 3u);
  EXPECT_EQ(get("/plinth/v1/suites/" + domain)["items"], 2);
  EXPECT_EQ(get("/plinth/v1/suites/" + general)["kind"], "text");
  EXPECT_FALSE(get("/plinth/v1/suites/" + broken)["error"].is_null());

  const Json request = {{"model", "law"}, {"domain", domain}, {"general", general}};
  const Json made = ask("/plinth/v1/proofs", request);
  const std::string path = "/plinth/v1/proofs/" + made["id"].get<std::string>();
  const Json proof = ended(path);
  ASSERT_EQ(proof["status"], "succeeded") << to_text(proof);
  EXPECT_EQ(proof["passed"], false) << "a plain base gains nothing over itself";
  EXPECT_EQ(proof["verdict"]["domain"]["gain"], 0);
  EXPECT_TRUE(std::filesystem::exists(store_->home() / "jobs" / made["id"].get<std::string>() /
                                      "proof" / "verdict.json"));
  const std::string stranger = new_key("b", {});
  EXPECT_EQ(send("GET", path, stranger).status, 404);
  EXPECT_EQ(send("GET", "/plinth/v1/suites/" + domain, stranger).status, 404);
  EXPECT_EQ(send("POST", "/plinth/v1/proofs", stranger, to_text(request)).status, 404);

  const std::vector<std::pair<Json, std::string>> wrong = {
      {{{"model", "nobody"}}, "model"},
      {{{"model", "tiny"}}, "model"},  // the base is no release
      {{{"domain", "file-0"}}, "domain"},
      {{{"general", upload("batch", "b.jsonl", "{}")}}, "general"},
      {{{"tolerance", -1}}, "tolerance"},
      {{{"suites", 1}}, "suites"}};
  for (const auto& [change, param] : wrong) {
    Json body = request;
    body.update(change);
    const Reply reply = post_to("/plinth/v1/proofs", body);
    EXPECT_TRUE(reply.status == 400 || reply.status == 404) << reply.status << to_text(change);
    EXPECT_EQ(error_of(reply)["param"], param) << reply.body;
  }
  Json bad = request;
  bad["domain"] = broken;
  const Json failed =
      ended("/plinth/v1/proofs/" + ask("/plinth/v1/proofs", bad)["id"].get<std::string>());
  EXPECT_EQ(failed["status"], "failed");
  EXPECT_FALSE(failed["error"].is_null());
}

TEST_F(PlinthJobsTest, WhatADeadServerWasRefiningTheNextOneFinishes) {
  server_.reset();
  const auto jobs = *store::Jobs::open(store_->home());
  const auto tenant = store_->tenant("a")->id;
  const auto file = upload("user_data", "one.md", document(1));
  const auto job = *jobs->create({.tenant_id = tenant,
                                  .key_id = store_->keys("a")->at(0).id,
                                  .kind = "refine",
                                  .spec = to_text({{"name", "x"}, {"files", {file}}})});
  ASSERT_TRUE(*jobs->flip(job.id, "validating_files", "running"));  // and then it died
  start({.port = 0});
  const Json corpus = ended("/plinth/v1/corpora/" + job.id);
  EXPECT_EQ(corpus["status"], "succeeded") << to_text(corpus);
  EXPECT_EQ(corpus["documents"], 1);
}

TEST_F(PlinthJobsTest, ACancelledJobStaysCancelledWhateverItsKind) {
  start({.port = 0, .jobs = {.at_once = 1}});
  // A long tuning keeps the runner busy, the corpus waits behind it.
  std::string rows;
  for (int i = 0; i < 12; ++i)
    rows += to_text({{"messages",
                      {{{"role", "user"}, {"content", "合同" + std::to_string(i)}},
                       {{"role", "assistant"}, {"content", "法律"}}}}}) +
            "\n";
  const Json tuning =
      ask("/v1/fine_tuning/jobs", {{"model", "tiny"},
                                   {"training_file", upload("fine-tune", "rows.jsonl", rows)},
                                   {"hyperparameters", {{"n_epochs", 1000}, {"sequence", 64}}}});
  const Json corpus = ask("/plinth/v1/corpora",
                          {{"name", "x"}, {"files", {upload("user_data", "a.md", document(1))}}});
  const std::string path = "/plinth/v1/corpora/" + corpus["id"].get<std::string>();
  ASSERT_TRUE(eventually([&] {
    return get("/plinth/v1/runs/" + tuning["id"].get<std::string>())["status"] == "running";
  }));
  EXPECT_EQ(get(path)["status"], "queued");
  EXPECT_EQ(send("POST", path + "/cancel", key_).status, 200);
  EXPECT_EQ(get(path)["status"], "cancelled");
  EXPECT_EQ(
      send("POST", "/v1/fine_tuning/jobs/" + tuning["id"].get<std::string>() + "/cancel", key_)
          .status,
      200);
  EXPECT_EQ(send("GET", path + "/report", key_).status, 404);
  EXPECT_EQ(get(path)["status"], "cancelled");
}

TEST_F(PlinthJobsTest, ACorpusNeedsFilesOfItsTenantOrAFolder) {
  const std::string file = upload("user_data", "a.md", document(1));
  const std::string others =
      store_->add_file(store_->create_tenant("c")->id, "c.md", "user_data", "x")->id;
  const std::vector<std::pair<Json, std::string>> wrong = {
      {{{"files", {file}}}, "name"},
      {{{"name", ""}, {"files", {file}}}, "name"},
      {{{"name", "x"}}, "files"},
      {{{"name", "x"}, {"files", {file}}, {"folder", "/"}}, "files"},
      {{{"name", "x"}, {"files", {others}}}, "files"},
      {{{"name", "x"}, {"files", file}}, "files"},
      {{{"name", "x"}, {"files", {file}}, {"suites", {1}}}, "suites"},
      {{{"name", "x"}, {"files", {file}}, {"recipe", "x"}}, "recipe"}};
  for (const auto& [body, param] : wrong) {
    const Reply reply = post_to("/plinth/v1/corpora", body);
    EXPECT_TRUE(reply.status == 400 || reply.status == 404) << reply.status << to_text(body);
    EXPECT_EQ(error_of(reply)["param"], param) << reply.body;
  }
}

}  // namespace
}  // namespace plinth::server
