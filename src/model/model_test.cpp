#include "model/model.h"

#include <gtest/gtest.h>

#include "model/test_model.h"

namespace plinth::model {
namespace {

std::string refusal(const ModelConfig& config) {
  const auto status = config.check();
  return status ? "accepted" : status.error().message;
}

TEST(ModelConfig, AcceptsWhatItCanCompute) {
  for (const char* architecture :
       {"llama", "qwen2", "qwen3", "hunyuan-dense", "ernie4_5", "gpt2", "smollm3"})
    EXPECT_EQ(refusal(tiny_config(architecture)), "accepted") << architecture;
}

TEST(ModelConfig, NamesTheFieldThatIsWrong) {
  const auto with = [](auto change) {
    auto config = tiny_config("qwen3");
    change(config);
    return refusal(config);
  };
  EXPECT_EQ(with([](auto& c) { c.layers = 0; }), "layers 0 is outside 1..1024");
  EXPECT_EQ(with([](auto& c) { c.kv_heads = 3; }), "kv_heads 3 does not divide heads 4");
  EXPECT_EQ(with([](auto& c) { c.head_dim = 7; }), "head_dim 7 is odd: RoPE turns pairs");
  EXPECT_EQ(with([](auto& c) { c.norm_eps = 0; }), "norm_eps 0 is outside (0, 1)");
  EXPECT_EQ(with([](auto& c) { c.rope_theta = NAN; }), "rope_theta nan is outside 1..1e12");
  EXPECT_EQ(with([](auto& c) { c.qk_norm = false; }), "architecture qwen3: qk_norm is false");
  EXPECT_EQ(with([](auto& c) { c.architecture = "gemma3"; }),
            "architecture 'gemma3' is not supported (known are llama, qwen2, qwen3, hunyuan-dense, "
            "ernie4_5, gpt2, smollm3)");
}

TEST(Model, CountsItsParametersAndBytes) {
  for (const char* architecture : {"qwen3", "qwen2", "llama"}) {
    const auto model = random_model(tiny_config(architecture), 1);
    // 2 layers of q 24x20, k and v 12x20, o 20x24, gate and up 32x20, down 20x32, two norms of 20.
    int64_t expected = 2 * (480 + 240 + 240 + 480 + 640 + 640 + 640 + 40) + 20 + 263 * 20;
    if (model->config().qk_norm) expected += 2 * 12;
    if (model->config().qkv_bias) expected += 2 * 48;
    if (!model->config().tied) expected += 263 * 20;
    EXPECT_EQ(model->parameters(), expected) << architecture;
    EXPECT_EQ(model->weight_bytes(), 4 * expected) << architecture;
  }
}

TEST(Model, RopeFrequenciesFallFromOne) {
  const auto model = random_model(tiny_config("qwen3"), 1);
  const auto rope = model->rope();
  ASSERT_EQ(rope.inverse_frequencies.size(), 3u);
  EXPECT_EQ(rope.inverse_frequencies[0], 1.0f);
  EXPECT_NEAR(rope.inverse_frequencies[1], 0.0464159, 1e-7);  // 10000 ^ (-2 / 6)
  EXPECT_NEAR(rope.inverse_frequencies[2], 0.0021544, 1e-7);
}

TEST(Model, OpenNamesThePathThatIsMissing) {
  const auto model = Model::open("no/such/base.gguf");
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, Code::kNotFound);
  EXPECT_NE(model.error().message.find("no/such/base.gguf"), std::string::npos);
}

TEST(Model, EmbeddedBaseOpensOrSaysThatThereIsNone) {
  const auto model = Model::open_embedded();
  if (model) {
    EXPECT_TRUE((*model)->config().check());
  } else {
    EXPECT_EQ(model.error().code, Code::kNotFound) << model.error().message;
  }
}

}  // namespace
}  // namespace plinth::model
