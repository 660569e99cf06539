#include <algorithm>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "core/json.h"
#include "model/adapter_lineage.h"
#include "model/formats/adapter_checks.h"
#include "model/formats/safetensors.h"
#include "model/test_model.h"

namespace plinth::model {
namespace {

class Peft : public testing::Test {
 protected:
  void SetUp() override {
    auto made = TempDirectory::create();
    ASSERT_TRUE(made) << made.error().message;
    folder_.emplace(*std::move(made));
  }

  Path path() const { return folder_->path() / "tuned"; }

  void write(const Adapter& adapter) {
    const auto written = write_peft(path(), adapter, config_);
    ASSERT_TRUE(written) << written.error().message;
  }

  // Why the folder is refused after its config was changed.
  std::string refusal(const std::function<void(Json&)>& change) {
    const auto before = read_file(path() / "adapter_config.json");
    Json json = Json::parse(*before);
    change(json);
    EXPECT_TRUE(write_file_atomic(path() / "adapter_config.json", json.dump()));
    const auto adapter = Adapter::open(path(), config_);
    EXPECT_TRUE(write_file_atomic(path() / "adapter_config.json", *before));
    return adapter ? "accepted" : adapter.error().message;
  }

  ModelConfig config_ = tiny_config("qwen3");
  std::optional<TempDirectory> folder_;
};

TEST_F(Peft, GivesBackWhatWasWritten) {
  const auto adapter = random_adapter(config_, 4, 1);
  write(*adapter);
  const auto opened = Adapter::open(path(), config_);
  ASSERT_TRUE(opened) << opened.error().message;
  expect_equal(*adapter, **opened);
  EXPECT_EQ((*opened)->name, "tuned");
  EXPECT_EQ((*opened)->digest.size(), 64u);
}

TEST_F(Peft, KeepsDeltasOfTheTables) {
  const auto adapter = random_adapter(config_, 4, 1, /*tables=*/true);
  write(*adapter);
  const auto opened = Adapter::open(path(), config_);
  ASSERT_TRUE(opened) << opened.error().message;
  expect_equal(*adapter, **opened);
  const auto config = Json::parse(*read_file(path() / "adapter_config.json"));
  const auto targets = config["target_modules"].get<std::vector<std::string>>();
  EXPECT_EQ(std::ranges::count(targets, "embed_tokens"), 1);
  EXPECT_EQ(std::ranges::count(targets, "lm_head"), 1);
  auto smaller = config_;
  smaller.vocabulary = 200;
  const auto refused = Adapter::open(path(), smaller);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("embed_tokens.lora_embedding_A has shape [4, 263], the "
                                         "config says [4, 200]"),
            std::string::npos)
      << refused.error().message;
}

TEST_F(Peft, CarriesItsLineageInBothFormats) {
  const auto adapter = random_adapter(config_, 4, 1);
  const Lineage lineage = {{"plinth.base_sha256", "ab"}, {"plinth.seed", "7"}};
  ASSERT_TRUE(write_peft(path(), *adapter, config_, lineage));
  ASSERT_TRUE(Adapter::open(path(), config_));
  const auto folder = read_lineage(path());
  ASSERT_TRUE(folder) << folder.error().message;
  EXPECT_EQ(*folder, lineage);
  const Path file = folder_->path() / "tuned.gguf";
  ASSERT_TRUE(write_gguf_adapter(file, *adapter, config_, lineage));
  ASSERT_TRUE(Adapter::open(file, config_));
  const auto gguf = read_lineage(file);
  ASSERT_TRUE(gguf) << gguf.error().message;
  EXPECT_EQ(*gguf, lineage);
}

TEST_F(Peft, KeepsRanksAndScalesThatDiffer) {
  auto adapter = *random_adapter(config_, 4, 2);
  const auto other = random_adapter(config_, 3, 3);
  adapter.layers[1][0] = other->layers[1][0];
  adapter.layers[0][6].scale = 0.25f;
  adapter.layers[1][2] = {};
  write(adapter);
  const auto opened = Adapter::open(path(), config_);
  ASSERT_TRUE(opened) << opened.error().message;
  expect_equal(adapter, **opened);
  const auto config = Json::parse(*read_file(path() / "adapter_config.json"));
  EXPECT_EQ(config["r"], 4);
  EXPECT_EQ(config["lora_alpha"], 8.0);
  EXPECT_EQ(config["rank_pattern"], Json({{"model.layers.1.self_attn.q_proj", 3}}));
  EXPECT_EQ(config["alpha_pattern"], Json({{"model.layers.0.mlp.down_proj", 1.0},
                                           {"model.layers.1.self_attn.q_proj", 6.0}}));
}

TEST_F(Peft, ReordersRowsForAnInterleavedBase) {
  config_ = tiny_config("llama");
  const auto adapter = random_adapter(config_, 2, 4);
  write(*adapter);
  auto gguf = config_;
  gguf.rope_style = tensor::RopeStyle::kInterleaved;
  const auto opened = Adapter::open(path(), gguf);
  ASSERT_TRUE(opened) << opened.error().message;
  const auto& q = (*opened)->layers[0][static_cast<size_t>(Linear::kQ)];
  const auto original = values(adapter->layers[0][static_cast<size_t>(Linear::kQ)].b);
  const auto reordered = values(q.b);
  EXPECT_EQ(reordered[2], original[6]);  // row 1 of a head of six is row 3 of the halves, rank 2
  const auto back = folder_->path() / "back";
  ASSERT_TRUE(write_peft(back, **opened, gguf));
  const auto again = Adapter::open(back, config_);
  ASSERT_TRUE(again) << again.error().message;
  expect_equal(*adapter, **again);
}

TEST_F(Peft, RefusesByNameWhatItCannotCompute) {
  write(*random_adapter(config_, 4, 5));
  const std::string file = (path() / "adapter_config.json").string() + ": ";
  EXPECT_EQ(refusal([](Json&) {}), "accepted");
  EXPECT_EQ(refusal([](Json& j) { j["use_dora"] = true; }), file + "use_dora is not supported");
  EXPECT_EQ(refusal([](Json& j) { j["modules_to_save"] = {"lm_head"}; }),
            file + "modules_to_save is not supported");
  EXPECT_EQ(refusal([](Json& j) { j["bias"] = "all"; }),
            file + "bias 'all' is not supported (none is)");
  EXPECT_EQ(refusal([](Json& j) { j["peft_type"] = "IA3"; }),
            file + "peft_type 'IA3' is not supported (LORA is)");
  EXPECT_EQ(refusal([](Json& j) { j.erase("r"); }), file + "'r' is missing");
  EXPECT_EQ(refusal([](Json& j) {
              j["rank_pattern"] = {{"q_.*", 2}};
            }),
            file + "rank_pattern 'q_.*' is a regular expression");
  EXPECT_NE(refusal([](Json& j) { j["r"] = 5; }).find("rank 4 in the weights, 5 in"),
            std::string::npos);
  EXPECT_NE(refusal([](Json& j) {
              j["alpha_pattern"] = {{"q_proj", 2}, {"self_attn.q_proj", 3}};
            }).find("both match model.layers.0.self_attn.q_proj"),
            std::string::npos);
}

TEST_F(Peft, RankStabilisedScaleIsAlphaOverTheRootOfTheRank) {
  write(*random_adapter(config_, 4, 7));
  auto config = Json::parse(*read_file(path() / "adapter_config.json"));
  config["use_rslora"] = true;
  config["lora_alpha"] = 5;
  config["alpha_pattern"] = {{"k_proj", 3}, {"model.layers.1.mlp.up_proj", 6}};
  ASSERT_TRUE(write_file_atomic(path() / "adapter_config.json", config.dump()));
  const auto opened = Adapter::open(path(), config_);
  ASSERT_TRUE(opened) << opened.error().message;
  const auto scale = [&](size_t layer, Linear which) {
    return (*opened)->layers[layer][static_cast<size_t>(which)].scale;
  };
  EXPECT_EQ(scale(0, Linear::kQ), 2.5f);
  EXPECT_EQ(scale(0, Linear::kK), 1.5f);
  EXPECT_EQ(scale(0, Linear::kUp), 2.5f);
  EXPECT_EQ(scale(1, Linear::kUp), 3.0f);
}

TEST_F(Peft, RefusesTensorsOfWhatIsNoLinearLayer) {
  write(*random_adapter(config_, 4, 8));
  const Path file = path() / "adapter_model.safetensors";
  const auto before = read_file(file);
  const auto stored = parse_safetensors(std::as_bytes(std::span(*before)), "before");
  ASSERT_TRUE(stored) << stored.error().message;
  const std::vector<float> zeros(static_cast<size_t>(4 * config_.vocabulary));
  const auto refusal_of = [&](const std::string& name) {
    auto more = *stored;
    more.push_back(
        {name, tensor::DType::kF32, {4, config_.vocabulary}, std::as_bytes(std::span(zeros))});
    EXPECT_TRUE(write_safetensors(file, more, {}));
    const auto adapter = Adapter::open(path(), config_);
    return adapter ? "accepted" : adapter.error().message;
  };
  EXPECT_NE(refusal_of("base_model.model.model.embed_tokens.lora_embedding_A")
                .find("tensor base_model.model.model.embed_tokens.lora_embedding_B is missing"),
            std::string::npos);
  EXPECT_NE(refusal_of("base_model.model.lm_head.base_layer.weight")
                .find("has shape [4, 263], the config says [263, 20]"),
            std::string::npos);
  EXPECT_NE(refusal_of("base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector")
                .find("has no place in this architecture"),
            std::string::npos);
  EXPECT_NE(refusal_of("base_model.model.model.norm.weight").find("has no place"),
            std::string::npos);
}

TEST_F(Peft, RefusesRanksThatTheEngineHasNoRoomFor) {
  write(*random_adapter(config_, kRankMax, 9));
  EXPECT_TRUE(Adapter::open(path(), config_));
  write(*random_adapter(config_, kRankMax + 1, 9));
  const auto opened = Adapter::open(path(), config_);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("rank 257 is outside 1..256"), std::string::npos)
      << opened.error().message;
}

TEST_F(Peft, RefusesShapesThatDoNotFitTheBase) {
  write(*random_adapter(config_, 4, 6));
  auto wider = config_;
  wider.ffn = 64;
  auto opened = Adapter::open(path(), wider);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find(
                "mlp.gate_proj.lora_B.weight has shape [32, 4], the config says [64, 4]"),
            std::string::npos)
      << opened.error().message;
  auto shallower = config_;
  shallower.layers = 1;
  opened = Adapter::open(path(), shallower);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("has no place in this architecture"), std::string::npos);
}

}  // namespace
}  // namespace plinth::model
