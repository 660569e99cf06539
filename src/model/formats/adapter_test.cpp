#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "core/json.h"
#include "model/formats/safetensors.h"
#include "model/test_model.h"

namespace plinth::model {
namespace {

std::vector<float> values(const tensor::Weight& weight) {
  std::vector<float> floats(static_cast<size_t>(weight.rows * weight.cols));
  tensor::to_f32(weight.data, weight.type, weight.rows * weight.cols, floats.data());
  return floats;
}

void expect_equal(const Adapter& a, const Adapter& b) {
  ASSERT_EQ(a.layers.size(), b.layers.size());
  for (size_t layer = 0; layer < a.layers.size(); ++layer) {
    for (size_t i = 0; i < kLinears; ++i) {
      const auto& left = a.layers[layer][i];
      const auto& right = b.layers[layer][i];
      ASSERT_EQ(left.rank, right.rank) << layer << " " << i;
      if (left.empty()) continue;
      EXPECT_NEAR(left.scale, right.scale, 1e-6) << layer << " " << i;
      EXPECT_EQ(values(left.a), values(right.a)) << layer << " " << i;
      EXPECT_EQ(values(left.b), values(right.b)) << layer << " " << i;
    }
  }
}

class Peft : public testing::Test {
 protected:
  void SetUp() override {
    auto made = TempDirectory::create();
    ASSERT_TRUE(made) << made.error().message;
    folder_.emplace(*std::move(made));
  }

  Path path() const { return folder_->path() / "tuned"; }

  void write(const Adapter& adapter, const PeftExport& options) {
    const auto written = write_peft(path(), adapter, options);
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
  write(*adapter, {.base_name = "tiny", .rank = 4, .alpha = 8});
  const auto opened = Adapter::open(path(), config_);
  ASSERT_TRUE(opened) << opened.error().message;
  expect_equal(*adapter, **opened);
  EXPECT_EQ((*opened)->name, "tuned");
  EXPECT_EQ((*opened)->digest.size(), 64u);
}

TEST_F(Peft, KeepsRanksAndScalesThatDiffer) {
  auto adapter = *random_adapter(config_, 4, 2);
  const auto other = random_adapter(config_, 3, 3);
  adapter.layers[1][0] = other->layers[1][0];
  adapter.layers[0][6].scale = 0.25f;
  adapter.layers[1][2] = {};
  for (const bool rslora : {false, true}) {
    write(adapter, {.base_name = "tiny", .rank = 4, .alpha = rslora ? 4.0 : 8.0, .rslora = rslora});
    const auto opened = Adapter::open(path(), config_);
    ASSERT_TRUE(opened) << opened.error().message;
    expect_equal(adapter, **opened);
  }
}

TEST_F(Peft, ReordersRowsForAnInterleavedBase) {
  config_ = tiny_config("llama");
  const auto adapter = random_adapter(config_, 2, 4);
  write(*adapter, {.base_name = "tiny", .rank = 2, .alpha = 4});
  auto gguf = config_;
  gguf.rope_style = tensor::RopeStyle::kInterleaved;
  const auto opened = Adapter::open(path(), gguf);
  ASSERT_TRUE(opened) << opened.error().message;
  const auto& q = (*opened)->layers[0][static_cast<size_t>(Linear::kQ)];
  const auto original = values(adapter->layers[0][static_cast<size_t>(Linear::kQ)].b);
  const auto reordered = values(q.b);
  EXPECT_EQ(reordered[2], original[6]);  // row 1 of a head of six is row 3 of the halves, rank 2
  const auto back = folder_->path() / "back";
  ASSERT_TRUE(write_peft(back, **opened,
                         {.base_name = "tiny", .rank = 2, .alpha = 4, .interleaved_head_dim = 6}));
  const auto again = Adapter::open(back, config_);
  ASSERT_TRUE(again) << again.error().message;
  expect_equal(*adapter, **again);
}

TEST_F(Peft, RefusesByNameWhatItCannotCompute) {
  write(*random_adapter(config_, 4, 5), {.base_name = "tiny", .rank = 4, .alpha = 8});
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

TEST_F(Peft, RefusesShapesThatDoNotFitTheBase) {
  write(*random_adapter(config_, 4, 6), {.base_name = "tiny", .rank = 4, .alpha = 8});
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
