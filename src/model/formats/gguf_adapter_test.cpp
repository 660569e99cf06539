#include <cstring>
#include <filesystem>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "model/formats/adapter_checks.h"
#include "model/formats/gguf_header.h"
#include "model/formats/gguf_reader.h"
#include "model/formats/mutations.h"
#include "model/loader.h"
#include "model/test_model.h"

namespace plinth::model {
namespace {

using tensor::DType;

// The adapter as the bytes of a GGUF file.
std::string image(const Adapter& adapter, const ModelConfig& base) {
  const auto folder = TempDirectory::create();
  PLINTH_CHECK(folder.has_value(), "{}", folder.error().message);
  const auto written = write_gguf_adapter(folder->path() / "a.gguf", adapter, base);
  PLINTH_CHECK(written.has_value(), "{}", written.error().message);
  auto bytes = read_file(folder->path() / "a.gguf");
  PLINTH_CHECK(bytes.has_value(), "{}", bytes.error().message);
  return *std::move(bytes);
}

// `bytes` must outlive the adapter.
Result<std::shared_ptr<const Adapter>> load(std::string_view bytes, const ModelConfig& base) {
  return load_gguf_adapter(std::as_bytes(std::span(bytes)), "a.gguf", base,
                           std::make_shared<WeightStorage>());
}

std::string refusal(std::string_view bytes, const ModelConfig& base) {
  const auto adapter = load(bytes, base);
  return adapter ? "accepted" : adapter.error().message;
}

// A file of one delta, of the query projection of layer 0, rank 32, in any type.
std::string one_delta(const ModelConfig& base, DType type, float value,
                      const std::function<void(GgufHeader&)>& keys) {
  const int64_t rank = 32;
  const auto tensor_of = [&](int64_t rows, int64_t cols) {
    const std::vector<float> floats(static_cast<size_t>(rows * cols), value);
    std::string bytes(static_cast<size_t>(rows) * tensor::row_bytes(type, cols), '\0');
    for (int64_t row = 0; row < rows; ++row)
      tensor::from_f32(floats.data(), cols, type,
                       bytes.data() + static_cast<size_t>(row) * tensor::row_bytes(type, cols));
    return bytes;
  };
  const int64_t inputs = base.inputs(Linear::kQ);
  const int64_t outputs = base.outputs(Linear::kQ);
  const std::string a = tensor_of(rank, inputs);
  const std::string b = tensor_of(outputs, rank);
  GgufHeader header;
  header.text("general.architecture", base.architecture);
  keys(header);
  const std::vector<GgufEntry> entries = {
      {"blk.0.attn_q.weight.lora_a", {static_cast<uint64_t>(inputs), 32}, type, a.size()},
      {"blk.0.attn_q.weight.lora_b", {32, static_cast<uint64_t>(outputs)}, type, b.size()}};
  return header.bytes(entries) + a + std::string(gguf_padding(a.size()), '\0') + b +
         std::string(gguf_padding(b.size()), '\0');
}

void lora_keys(GgufHeader& header) {
  header.text("general.type", "adapter");
  header.text("adapter.type", "lora");
  header.f32("adapter.lora.alpha", 16);
}

TEST(GgufAdapter, GivesBackWhatWasWritten) {
  for (const char* name : {"qwen3", "qwen2", "llama", "ernie4_5", "smollm3"}) {
    const auto config = tiny_config(name);
    const auto adapter = random_adapter(config, 4, 1, /*tables=*/true);
    const auto bytes = image(*adapter, config);
    const auto copy = load(bytes, config);
    ASSERT_TRUE(copy) << copy.error().message;
    expect_equal(*adapter, **copy);
    EXPECT_EQ((*copy)->name, "a");
    EXPECT_EQ((*copy)->digest.size(), 64u);
  }
}

// As llama.cpp reads them: the embedding's A has a row a token.
TEST(GgufAdapter, TheTablesHaveTheShapesOfTheFormat) {
  const auto config = tiny_config("llama");
  const auto bytes = image(*random_adapter(config, 4, 1, /*tables=*/true), config);
  const auto file = GgufFile::parse(std::as_bytes(std::span(bytes)), "a.gguf");
  ASSERT_TRUE(file) << file.error().message;
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const auto& stored : file->tensors()) shapes[stored.name] = stored.shape;
  EXPECT_EQ(shapes["token_embd.weight.lora_a"], (std::vector<int64_t>{config.vocabulary, 4}));
  EXPECT_EQ(shapes["token_embd.weight.lora_b"], (std::vector<int64_t>{config.width, 4}));
  EXPECT_EQ(shapes["output.weight.lora_a"], (std::vector<int64_t>{4, config.width}));
  EXPECT_EQ(shapes["output.weight.lora_b"], (std::vector<int64_t>{config.vocabulary, 4}));
}

TEST(GgufAdapter, RowsOfQAndKFollowTheBase) {
  auto config = tiny_config("llama");
  const auto adapter = random_adapter(config, 2, 2);
  const auto bytes = image(*adapter, config);  // interleaved in the file
  auto gguf = config;
  gguf.rope_style = tensor::RopeStyle::kInterleaved;
  const auto over_gguf = load(bytes, gguf);
  ASSERT_TRUE(over_gguf) << over_gguf.error().message;
  const auto q = static_cast<size_t>(Linear::kQ);
  const auto halves = values(adapter->layers[0][q].b);
  const auto interleaved = values((*over_gguf)->layers[0][q].b);
  EXPECT_EQ(interleaved[2], halves[6]);  // row 1 of a head of six is row 3 of the halves, rank 2
  const auto again = image(**over_gguf, gguf);
  const auto back = load(again, config);
  ASSERT_TRUE(back) << back.error().message;
  expect_equal(*adapter, **back);
}

TEST(GgufAdapter, BMakesUpForAScaleThatDiffers) {
  const auto config = tiny_config("qwen3");
  auto adapter = *random_adapter(config, 4, 3);
  adapter.layers[0][1].scale = 0.5f;  // the others have 2, so the file's alpha is 8
  const auto of_rank_3 = random_adapter(config, 3, 4);
  adapter.layers[1][2] = of_rank_3->layers[1][2];
  const auto bytes = image(adapter, config);
  const auto copy = load(bytes, config);
  ASSERT_TRUE(copy) << copy.error().message;
  const auto& before = adapter.layers[0][1];
  const auto& after = (*copy)->layers[0][1];
  EXPECT_EQ(after.scale, 2.0f);
  EXPECT_FLOAT_EQ(values(after.b)[5] * after.scale, values(before.b)[5] * before.scale);
  const auto& third = (*copy)->layers[1][2];
  EXPECT_FLOAT_EQ(third.scale, 8.0f / 3);
  EXPECT_EQ(third.rank, 3);
  EXPECT_FLOAT_EQ(values(third.b)[5] * third.scale, values(adapter.layers[1][2].b)[5] * 2.0f);
}

TEST(GgufAdapter, ReadsF32F16Bf16AndBlocks) {
  auto config = tiny_config("qwen3");
  config.width = 32;
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0}) {
    const auto bytes = one_delta(config, type, 0.5f, lora_keys);
    const auto adapter = load(bytes, config);
    ASSERT_TRUE(adapter) << adapter.error().message;
    const auto& delta = (*adapter)->layers[0][0];
    EXPECT_EQ(delta.rank, 32);
    EXPECT_EQ(delta.scale, 0.5f);
    EXPECT_NEAR(values(delta.a)[7], 0.5f, 1e-3) << tensor::dtype_name(type);
    EXPECT_NEAR(values(delta.b)[7], 0.5f, 1e-3) << tensor::dtype_name(type);
    EXPECT_FALSE(tensor::is_quantised(delta.a.type));
    EXPECT_TRUE((*adapter)->layers[0][1].empty());
  }
}

TEST(GgufAdapter, WithoutAlphaTheDeltaHasNoScale) {
  auto config = tiny_config("qwen3");
  config.width = 32;
  const auto bytes = one_delta(config, DType::kF32, 1.0f, [](GgufHeader& header) {
    header.text("general.type", "adapter");
    header.text("adapter.type", "lora");
  });
  const auto adapter = load(bytes, config);
  ASSERT_TRUE(adapter) << adapter.error().message;
  EXPECT_EQ((*adapter)->layers[0][0].scale, 1.0f);
}

TEST(GgufAdapter, RefusesByNameWhatItCannotCompute) {
  auto config = tiny_config("qwen3");
  config.width = 32;
  const auto refusal_with = [&](const std::function<void(GgufHeader&)>& keys) {
    return refusal(one_delta(config, DType::kF32, 1.0f, keys), config);
  };
  EXPECT_EQ(refusal_with(lora_keys), "accepted");
  EXPECT_EQ(refusal_with([](GgufHeader&) {}), "a.gguf: general.type is 'model', not 'adapter'");
  EXPECT_EQ(refusal_with([](GgufHeader& header) { header.text("general.type", "adapter"); }),
            "a.gguf: metadata key adapter.type is missing");
  EXPECT_EQ(refusal_with([](GgufHeader& header) {
              header.text("general.type", "adapter");
              header.text("adapter.type", "control");
            }),
            "a.gguf: adapter.type 'control' is not supported (lora is)");
  EXPECT_EQ(refusal_with([](GgufHeader& header) {
              lora_keys(header);
              header.i32s("adapter.alora.invocation_tokens", {1});
            }),
            "a.gguf: adapter.alora.invocation_tokens is not supported");
  EXPECT_EQ(refusal_with([](GgufHeader& header) {
              header.text("general.type", "adapter");
              header.text("adapter.type", "lora");
              header.f32("adapter.lora.alpha", INFINITY);
            }),
            "a.gguf: blk.0.attn_q: scale inf is not finite");
  const auto bytes = one_delta(config, DType::kF32, 1.0f, lora_keys);
  auto other = tiny_config("qwen2");
  EXPECT_EQ(refusal(bytes, other), "a.gguf: an adapter of architecture qwen3, the base is qwen2");
  auto wider = config;
  wider.heads = 8;
  EXPECT_EQ(refusal(bytes, wider),
            "a.gguf: its weights: tensor blk.0.attn_q.weight.lora_b has shape [24, 32], the config "
            "says [48, 32]");
  const auto base =
      load_gguf(std::as_bytes(std::span(bytes)), "a.gguf", std::make_shared<WeightStorage>());
  ASSERT_FALSE(base);
  EXPECT_EQ(base.error().message, "a.gguf: an adapter, not a base (BASE+ADAPTER names both)");
}

TEST(GgufAdapter, RefusesTensorsThatHaveNoPlace) {
  auto config = tiny_config("qwen3");
  config.width = 32;
  const auto bytes = one_delta(config, DType::kF32, 1.0f, lora_keys);
  const auto renamed = [&](std::string_view from, std::string_view to) {
    PLINTH_CHECK(from.size() == to.size(), "{} and {}", from, to);
    auto changed = bytes;
    return refusal(changed.replace(changed.find(from), to.size(), to), config);
  };
  EXPECT_EQ(renamed("blk.0.attn_q.weight.lora_b", "blk.0.attn_k.weight.lora_b"),
            "a.gguf: its weights: tensor blk.0.attn_q.weight.lora_b is missing");
  EXPECT_EQ(renamed("blk.0.attn_q.weight.lora_a", "blk.0.attn_k.weight.lora_a"),
            "a.gguf: its weights: tensor blk.0.attn_k.weight.lora_b is missing");
  EXPECT_EQ(renamed("blk.0.attn_q.weight.lora_a", "blk.9.attn_q.weight.lora_a"),
            "a.gguf: its weights: tensor blk.9.attn_q.weight.lora_a has no place in this "
            "architecture");
  EXPECT_EQ(renamed("blk.0.attn_q.weight.lora_a", "x.token_embd.weight.lora_a"),
            "a.gguf: its weights: tensor x.token_embd.weight.lora_a has no place in this "
            "architecture");
}

TEST(GgufAdapter, DamagedFilesNeverCrash) {
  const auto config = tiny_config("llama");
  const auto bytes = image(*random_adapter(config, 2, 5, /*tables=*/true), config);
  const auto model = random_model(config, 6);
  size_t accepted = 0;
  size_t refused = 0;
  for_each_mutation(
      bytes, bytes.find("blk.1.ffn_up") + 64, 300, [&](std::span<const std::byte> mutant) {
        const auto adapter =
            load_gguf_adapter(mutant, "mutant", config, std::make_shared<WeightStorage>());
        ++(adapter ? accepted : refused);
        if (!adapter) return;
        const std::vector<int32_t> ids{1, 2};  // reads every delta
        (void)forward(*model, tensor::ref_ops(), ids, adapter->get());
      });
  EXPECT_GT(refused, 300u);
  EXPECT_GT(accepted, 0u);  // some bytes are names and scales
}

TEST(GgufAdapter, FuzzSeedsAreOneGoodFileAndRefusedOnes) {
  auto config = tiny_config("llama");  // as in gguf_adapter_fuzz.cpp
  config.width = 8;
  config.layers = 1;
  config.heads = 2;
  config.kv_heads = 1;
  config.head_dim = 4;
  size_t accepted = 0;
  size_t refused = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(Path(PLINTH_SOURCE_DIR) / "fuzz/corpus/gguf_adapter")) {
    const auto bytes = read_file(entry.path());
    ASSERT_TRUE(bytes) << bytes.error().message;
    ++(load(*bytes, config) ? accepted : refused);
  }
  EXPECT_EQ(accepted, 1u);
  EXPECT_GE(refused, 3u);
}

}  // namespace
}  // namespace plinth::model
