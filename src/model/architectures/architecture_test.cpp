// Hostile and unusual config.json files: what is refused says what it is; nothing crashes.
#include "model/architectures/architecture.h"

#include <gtest/gtest.h>

#include "core/file.h"
#include "core/rng.h"
#include "model/test_model.h"

namespace plinth::model {
namespace {

Json llama_json() {
  return {{"vocab_size", 64},
          {"hidden_size", 16},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"intermediate_size", 24},
          {"max_position_embeddings", 128},
          {"rms_norm_eps", 1e-5}};
}

Json gpt2_json() {
  return {{"vocab_size", 64}, {"n_embd", 16},       {"n_layer", 2},
          {"n_head", 4},      {"n_positions", 128}, {"layer_norm_epsilon", 1e-5}};
}

Result<ModelConfig> read(const Architecture& architecture, const Json& json) {
  ModelConfig config;
  config.architecture = architecture.name;
  config.rope_style = architecture.checkpoint_rope;
  PLINTH_TRY(architecture.read_checkpoint(json, config));
  if (architecture.define != nullptr) architecture.define(config);
  PLINTH_TRY(config.check());
  return config;
}

std::string refusal(const Architecture& architecture, Json json, const Json& change) {
  json.update(change);
  const auto config = read(architecture, json);
  return config ? "accepted" : config.error().message;
}

TEST(Architecture, TakesTheClassDefaultsOfSilentConfigs) {
  const auto config = read(llama(), llama_json());
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->head_dim, 4);
  EXPECT_EQ(config->rope_theta, 10000.0f);
  EXPECT_FALSE(config->tied || config->qkv_bias || config->ffn_bias);
  EXPECT_EQ(read(ernie4_5(), llama_json())->rope_theta, 500000.0f);
  EXPECT_TRUE(read(smollm3(), llama_json())->tied);
  EXPECT_EQ(read(gpt2(), gpt2_json())->ffn, 64);
  EXPECT_EQ(read(mistral(), llama_json())->context, 128);  // a window of 4096 does not limit it
  EXPECT_TRUE(read(qwen2(), llama_json())->qkv_bias);
}

TEST(Architecture, RefusalsNameTheKeyAndTheValue) {
  const Json json = llama_json();
  EXPECT_EQ(refusal(llama(), json, {{"hidden_act", "relu"}}),
            "hidden_act 'relu' is not supported (silu is)");
  EXPECT_EQ(refusal(llama(), json, {{"partial_rotary_factor", 0.5}}),
            "partial_rotary_factor 0.5 is not supported");
  EXPECT_EQ(refusal(llama(), json, {{"rope_scaling", {{"type", "longrope"}}}}),
            "RoPE of type 'longrope' is not supported (default, linear, dynamic, llama3 and yarn "
            "are)");
  EXPECT_EQ(refusal(llama(), json, {{"hidden_size", int64_t{1} << 40}}),
            "width 1099511627776 is outside 1..131072");
  EXPECT_EQ(refusal(llama(), json, {{"num_hidden_layers", 1000000}}),
            "layers 1000000 is outside 1..1024");
  EXPECT_EQ(refusal(llama(), json,
                    {{"num_attention_heads", 3}, {"num_key_value_heads", 2}, {"head_dim", 4}}),
            "kv_heads 2 does not divide heads 3");
  EXPECT_EQ(refusal(llama(), json, {{"rope_theta", -5}}), "rope_theta -5 is outside 1..1e12");
  EXPECT_EQ(refusal(llama(), json, {{"rope_theta", 1e300}}), "rope_theta inf is outside 1..1e12");
  EXPECT_EQ(refusal(llama(), json, {{"rms_norm_eps", 0}}), "norm_eps 0 is outside (0, 1)");
  EXPECT_EQ(refusal(llama(), json, {{"rope_scaling", {{"rope_type", "linear"}, {"factor", 0}}}}),
            "RoPE scaling factor 0 is outside 0.001..10000");
  EXPECT_EQ(refusal(smollm3(), json, {{"no_rope_layers", {1}}}),
            "'no_rope_layers' has 1 entries for 2 layers");
  EXPECT_EQ(refusal(smollm3(), json, {{"no_rope_layers", {1, 7}}}), "'no_rope_layers' holds 7");
  EXPECT_EQ(refusal(smollm3(), json, {{"no_rope_layer_interval", 0}}),
            "no_rope_layer_interval 0 is below 1");
  EXPECT_EQ(refusal(gpt2(), gpt2_json(), {{"activation_function", "relu"}}),
            "activation_function 'relu' is not supported (gelu_new is)");
  EXPECT_EQ(refusal(gpt2(), gpt2_json(), {{"scale_attn_by_inverse_layer_idx", true}}),
            "scale_attn_by_inverse_layer_idx is not supported");
  EXPECT_EQ(refusal(gpt2(), gpt2_json(), {{"n_head", 3}}), "n_head 3 does not divide n_embd 16");
  for (const auto& [key, value] : json.items()) {
    if (key == "num_key_value_heads") continue;  // as many as heads
    Json without = json;
    without.erase(key);
    EXPECT_NE(refusal(llama(), without, Json::object()).find(key), std::string::npos) << key;
  }
}

TEST(Architecture, AnyValueOfAnyKeyIsReadOrRefused) {
  const Architecture* all[] = {&llama(),         &mistral(),  &qwen2(), &qwen3(),
                               &hunyuan_dense(), &ernie4_5(), &gpt2(),  &smollm3()};
  const Json values[] = {nullptr,
                         true,
                         -1,
                         0,
                         1,
                         3,
                         int64_t{1} << 62,
                         -9e18,
                         1e308,
                         1e-320,
                         "x",
                         "",
                         Json::array(),
                         Json::array({1, "a"}),
                         Json::object(),
                         {{"rope_type", "yarn"}, {"factor", 1e300}},
                         {{"type", "llama3"}, {"factor", -1}},
                         {{"alpha", -3}}};
  const char* more[] = {"head_dim",
                        "rope_theta",
                        "rope_scaling",
                        "sliding_window",
                        "use_sliding_window",
                        "no_rope_layers",
                        "n_inner",
                        "use_bias",
                        "tie_word_embeddings",
                        "original_max_position_embeddings"};
  int accepted = 0;
  int refused = 0;
  for (const auto* architecture : all) {
    Json json = architecture == &gpt2() ? gpt2_json() : llama_json();
    std::vector<std::string> keys(std::begin(more), std::end(more));
    for (const auto& [key, value] : json.items()) keys.push_back(key);
    for (const auto& key : keys) {
      for (const auto& value : values) {
        Json changed = json;
        changed[key] = value;
        const auto config = read(*architecture, changed);
        ++(config ? accepted : refused);
        EXPECT_TRUE(config || !config.error().message.empty()) << key << " " << to_text(value);
      }
    }
  }
  EXPECT_GT(accepted, 300);
  EXPECT_GT(refused, 600);
}

TEST(Architecture, EveryOneComputesFiniteLogitsOnBothBackends) {
  const std::vector<int32_t> ids{1, 200, 3, 77, 5};
  for (const char* name :
       {"llama", "qwen2", "qwen3", "hunyuan-dense", "ernie4_5", "gpt2", "smollm3"}) {
    const auto model = random_model(tiny_config(name), 5);
    const auto ref = forward(*model, tensor::ref_ops(), ids, nullptr);
    EXPECT_LT(relative_error(forward(*model, tensor::cpu_ops(), ids, nullptr), ref), 1e-5) << name;
  }
}

}  // namespace
}  // namespace plinth::model
