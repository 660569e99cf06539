#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "core/interrupt.h"
#include "model/formats/gguf_reader.h"
#include "model/formats/mutations.h"
#include "model/formats/rope_rows.h"
#include "model/loader.h"
#include "model/test_model.h"

namespace plinth::model {
namespace {

using tensor::DType;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// The model as the bytes of a GGUF file.
std::string image(const Model& model, DType type = DType::kF32, const Json& metadata = {}) {
  const auto folder = TempDirectory::create();
  PLINTH_CHECK(folder.has_value(), "{}", folder.error().message);
  const auto written = write_gguf(folder->path() / "m.gguf", model, type, metadata);
  PLINTH_CHECK(written.has_value(), "{}", written.error().message);
  auto bytes = read_file(folder->path() / "m.gguf");
  PLINTH_CHECK(bytes.has_value(), "{}", bytes.error().message);
  return *std::move(bytes);
}

// `bytes` must outlive the model.
Result<std::shared_ptr<const Model>> load(std::string_view bytes) {
  return load_gguf(bytes_of(bytes), "m.gguf", std::make_shared<WeightStorage>());
}

std::string refusal(const std::string& bytes) {
  const auto model = load(bytes);
  return model ? "accepted" : model.error().message;
}

// `text` with the only `from` replaced by `to` of the same size.
std::string patched(std::string text, const std::string& from, const std::string& to) {
  PLINTH_CHECK(from.size() == to.size(), "{} and {}", from.size(), to.size());
  const size_t at = text.find(from);
  PLINTH_CHECK(at != std::string::npos, "no {}", from);
  return text.replace(at, to.size(), to);
}

// `text` with four bytes at `offset` behind the first `anchor` replaced.
std::string with_u32(std::string text, const std::string& anchor, size_t offset, uint32_t value) {
  const size_t at = text.find(anchor);
  PLINTH_CHECK(at != std::string::npos, "no {}", anchor);
  std::memcpy(text.data() + at + anchor.size() + offset, &value, sizeof value);
  return text;
}

std::string raw(const tensor::Weight& weight) {
  return {static_cast<const char*>(weight.data),
          static_cast<size_t>(weight.rows) * tensor::row_bytes(weight.type, weight.cols)};
}

TEST(Gguf, GivesBackConfigTokenizerAndWeights) {
  for (const char* architecture : {"qwen3", "qwen2", "hunyuan-dense", "ernie4_5", "gpt2"}) {
    const auto model = random_model(tiny_config(architecture), 3);
    const auto bytes = image(*model);
    const auto copy = load(bytes);
    ASSERT_TRUE(copy) << copy.error().message;
    const auto& a = model->config();
    const auto& b = (*copy)->config();
    EXPECT_EQ(std::tie(a.architecture, a.name, a.vocabulary, a.width, a.layers, a.heads, a.kv_heads,
                       a.head_dim, a.ffn, a.context, a.norm_eps, a.rope_theta),
              std::tie(b.architecture, b.name, b.vocabulary, b.width, b.layers, b.heads, b.kv_heads,
                       b.head_dim, b.ffn, b.context, b.norm_eps, b.rope_theta));
    EXPECT_EQ(std::tie(a.qk_norm, a.qkv_bias, a.tied, a.rope_style, a.norm, a.positions),
              std::tie(b.qk_norm, b.qkv_bias, b.tied, b.rope_style, b.norm, b.positions));
    EXPECT_EQ((*copy)->chat_template(), model->chat_template());
    EXPECT_EQ((*copy)->digest().size(), 64u);
    EXPECT_EQ((*copy)->tokenizer().to_json(), model->tokenizer().to_json());
    EXPECT_EQ((*copy)->tokenizer().size(), 260);  // the padding to 263 rows is gone again
    EXPECT_EQ((*copy)->tokenizer().eos(), model->tokenizer().eos());
    EXPECT_EQ(raw((*copy)->weights().embedding), raw(model->weights().embedding));
    EXPECT_EQ(raw((*copy)->weights().head), raw(model->weights().head));
    EXPECT_EQ(raw((*copy)->weights().layers[1].linear[6]),
              raw(model->weights().layers[1].linear[6]));
    EXPECT_EQ(image(**copy), bytes) << "a second copy differs from the first";
  }
}

TEST(Gguf, WritesLlamaWithInterleavedHeads) {
  const auto model = random_model(tiny_config("llama"), 4);
  const auto bytes = image(*model);
  const auto copy = load(bytes);
  ASSERT_TRUE(copy) << copy.error().message;
  EXPECT_EQ((*copy)->config().rope_style, tensor::RopeStyle::kInterleaved);
  const auto& before = model->weights().layers[0].linear;
  const auto& after = (*copy)->weights().layers[0].linear;
  // Head of six: rows 0 and 3 are a pair, then 1 and 4, then 2 and 5.
  const size_t row = 20 * sizeof(float);
  const size_t q = static_cast<size_t>(Linear::kQ);
  for (const auto& [to, from] : {std::pair{0, 0}, {1, 3}, {2, 1}, {3, 4}, {4, 2}, {5, 5}, {7, 9}}) {
    EXPECT_EQ(raw(after[q]).substr(static_cast<size_t>(to) * row, row),
              raw(before[q]).substr(static_cast<size_t>(from) * row, row))
        << to;
  }
  EXPECT_EQ(raw(after[static_cast<size_t>(Linear::kV)]),
            raw(before[static_cast<size_t>(Linear::kV)]));
  EXPECT_EQ(image(**copy), bytes) << "an interleaved model is written as it is";
}

TEST(Gguf, RefusesToWriteWhatTheFileCannotSay) {
  const auto refusal_of = [](const ModelConfig& config) {
    const auto status =
        write_gguf("unused.gguf", *random_model(config, 1), DType::kF32, Json::object());
    return status ? "written" : status.error().message;
  };
  auto config = tiny_config("llama");
  config.unrotated = {false, true};
  EXPECT_EQ(refusal_of(config), "GGUF files of llama cannot say that layer 1 has no RoPE");
  config = tiny_config("qwen2");
  config.rope_scaling = {
      .kind = RopeScalingKind::kYarn, .factor = 2, .original_context = 32, .truncate = false};
  EXPECT_EQ(refusal_of(config), "GGUF has no key for YaRN with truncate = false");
}

TEST(Gguf, RopeRowsAreEachOthersInverse) {
  for (int64_t row = 0; row < 24; ++row) {
    EXPECT_EQ(interleaved_row(halves_row(row, 6), 6), row);
    EXPECT_EQ(halves_row(interleaved_row(row, 6), 6), row);
  }
}

TEST(Gguf, QuantisesRowsOfWholeBlocksAndKeepsTheRestF16) {
  const auto model = random_model(tiny_config("qwen3"), 5);
  const auto bytes = image(*model, DType::kQ8_0);
  const auto copy = load(bytes);
  ASSERT_TRUE(copy) << copy.error().message;
  const auto& linear = (*copy)->weights().layers[0].linear;
  EXPECT_EQ(linear[static_cast<size_t>(Linear::kDown)].type, DType::kQ8_0);  // 32 columns
  EXPECT_EQ(linear[static_cast<size_t>(Linear::kQ)].type, DType::kF16);      // 20 columns
  const std::vector<int32_t> ids{1, 2, 3, 4};
  const auto exact = forward(*model, tensor::ref_ops(), ids, nullptr);
  const double error = relative_error(forward(**copy, tensor::ref_ops(), ids, nullptr), exact);
  EXPECT_LT(error, 0.02);
  EXPECT_GT(error, 0.0);
}

// A model whose rows are whole blocks of 256, but for the down projection's 96 columns.
ModelConfig wide_config() {
  auto config = tiny_config("qwen3");
  config.width = 256;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 64;
  config.ffn = 96;
  return config;
}

// Mean over the rows of sum p log(p / q), p and q the softmax of the logits.
double mean_kl(std::span<const float> exact, std::span<const float> found, size_t vocabulary) {
  const auto log_sum = [](std::span<const float> row) {
    const double top = *std::max_element(row.begin(), row.end());
    double sum = 0;
    for (const float x : row) sum += std::exp(double{x} - top);
    return top + std::log(sum);
  };
  double total = 0;
  for (size_t at = 0; at < exact.size(); at += vocabulary) {
    const auto p = exact.subspan(at, vocabulary);
    const auto q = found.subspan(at, vocabulary);
    const double zp = log_sum(p);
    const double zq = log_sum(q);
    for (size_t i = 0; i < vocabulary; ++i)
      total += std::exp(p[i] - zp) * ((p[i] - zp) - (q[i] - zq));
  }
  return total / static_cast<double>(exact.size() / vocabulary);
}

TEST(Gguf, EveryQuantisedTypeKeepsTheDistributionWithinItsBound) {
  const auto model = random_model(wide_config(), 11);
  const auto vocabulary = static_cast<size_t>(model->config().vocabulary);
  const std::vector<int32_t> ids{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const std::vector<int32_t> few(ids.begin(), ids.begin() + 4);  // the integer kernels
  const auto exact = forward(*model, tensor::ref_ops(), ids, nullptr);
  const auto exact_few = forward(*model, tensor::ref_ops(), few, nullptr);
  // Twice what was measured. Random weights are the worst case: their logits are far apart by
  // chance alone, and a trained model's hardly move. Each bit of a code is worth about 4x, less
  // where the head, which keeps six bits, has its part.
  for (const auto& [type, bound] : {std::pair{DType::kQ8_0, 4e-3},
                                    {DType::kQ6_K, 5e-2},
                                    {DType::kQ5_K, 7e-2},
                                    {DType::kQ5_1, 0.1},
                                    {DType::kQ5_0, 0.13},
                                    {DType::kQ4_K, 0.5},
                                    {DType::kQ4_1, 0.4},
                                    {DType::kQ4_0, 0.5}}) {
    const auto bytes = image(*model, type);
    const auto copy = load(bytes);
    ASSERT_TRUE(copy) << copy.error().message;
    EXPECT_EQ((*copy)->weights().layers[0].linear[0].type, type);
    const double kl = mean_kl(exact, forward(**copy, tensor::ref_ops(), ids, nullptr), vocabulary);
    const double served =
        mean_kl(exact_few, forward(**copy, tensor::cpu_ops(), few, nullptr), vocabulary);
    RecordProperty(std::string(tensor::dtype_name(type)), fmt::format("{:.2e} {:.2e}", kl, served));
    EXPECT_GT(kl, 0.0) << tensor::dtype_name(type);
    EXPECT_LT(kl, bound) << tensor::dtype_name(type);
    EXPECT_LT(served, 1.5 * bound + 1e-3) << tensor::dtype_name(type);
  }
}

TEST(Gguf, MixesTypesAndReportsWhatFellBack) {
  const auto model = random_model(wide_config(), 12);
  const auto folder = TempDirectory::create();
  ASSERT_TRUE(folder);
  WriteReport report;
  ASSERT_TRUE(write_gguf(folder->path() / "m.gguf", *model, DType::kQ4_K, {}, &report));
  const auto bytes = read_file(folder->path() / "m.gguf");
  ASSERT_TRUE(bytes);
  const auto copy = load(*bytes);
  ASSERT_TRUE(copy) << copy.error().message;
  const auto& layer = (*copy)->weights().layers[0];
  EXPECT_EQ(layer.linear[static_cast<size_t>(Linear::kQ)].type, DType::kQ4_K);
  EXPECT_EQ(layer.linear[static_cast<size_t>(Linear::kDown)].type, DType::kQ5_0);
  EXPECT_EQ((*copy)->weights().head.type, DType::kQ6_K);
  ASSERT_EQ(report.notes.size(), static_cast<size_t>(model->config().layers));
  EXPECT_EQ(report.notes[0],
            "blk.0.ffn_down.weight: rows of 96 are no multiple of 256: Q5_0 instead of Q4_K");
  int64_t total = 0;
  for (const auto& [type, size] : report.bytes) total += size;
  EXPECT_EQ(report.bytes.size(), 3u);
  EXPECT_LT(total, static_cast<int64_t>(bytes->size()));
  const auto file = GgufFile::parse(bytes_of(*bytes), "m.gguf");
  ASSERT_TRUE(file);
  EXPECT_EQ(*file->integer("general.file_type"), 14);
}

TEST(Gguf, AQuantisedFileIsCopiedByteForByte) {
  const auto model = random_model(wide_config(), 13);
  const auto bytes = image(*model, DType::kQ5_K);
  const auto copy = load(bytes);
  ASSERT_TRUE(copy) << copy.error().message;
  EXPECT_EQ(image(**copy, DType::kQ5_K), bytes);
}

TEST(Gguf, DamagedQuantisedFilesNeverCrash) {
  const auto bytes = image(*random_model(wide_config(), 14), DType::kQ4_K);
  const size_t header = bytes.find("blk.1.ffn_norm.weight") + 64;
  size_t refused = 0;
  for_each_mutation(bytes, header, 60, [&](std::span<const std::byte> mutant) {
    const auto model = load_gguf(mutant, "mutant", std::make_shared<WeightStorage>());
    if (!model) return void(++refused);
    const std::vector<int32_t> ids{1, 2};
    (void)forward(**model, tensor::cpu_ops(), ids, nullptr);  // reads every weight
  });
  EXPECT_GT(refused, 60u);
}

TEST(Gguf, HalfPrecisionCopiesComputeNearlyTheSame) {
  const auto model = random_model(tiny_config("qwen2"), 6);
  const std::vector<int32_t> ids{9, 8, 7};
  const auto exact = forward(*model, tensor::ref_ops(), ids, nullptr);
  for (const auto& [type, tolerance] : {std::pair{DType::kF16, 2e-3}, {DType::kBF16, 2e-2}}) {
    const auto bytes = image(*model, type);
    const auto copy = load(bytes);
    ASSERT_TRUE(copy) << copy.error().message;
    EXPECT_EQ((*copy)->weights().embedding.type, type);
    EXPECT_LT(relative_error(forward(**copy, tensor::ref_ops(), ids, nullptr), exact), tolerance);
  }
}

TEST(Gguf, WritesExtraKeysAndRefusesOurs) {
  const auto model = random_model(tiny_config("qwen3"), 7);
  const auto bytes = image(*model, DType::kF32, {{"general.license", "mit"}});
  const auto file = GgufFile::parse(bytes_of(bytes), "m.gguf");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(*file->text("general.license"), "mit");
  for (const char* key : {"qwen3.block_count", "general.alignment", "tokenizer.ggml.model"}) {
    const auto status = write_gguf("unused.gguf", *model, DType::kF32, {{key, "x"}});
    ASSERT_FALSE(status) << key;
    EXPECT_NE(status.error().message.find(key), std::string::npos);
  }
  EXPECT_FALSE(std::filesystem::exists("unused.gguf"));
}

TEST(Gguf, FailedWriteLeavesNothingBehind) {
  const auto model = random_model(tiny_config("qwen3"), 7);
  const auto folder = TempDirectory::create();
  ASSERT_TRUE(folder);
  EXPECT_FALSE(write_gguf(folder->path() / "no" / "m.gguf", *model, DType::kF32, {}));
  EXPECT_TRUE(std::filesystem::is_empty(folder->path()));
}

TEST(Gguf, InterruptedWriteLeavesNothingBehind) {
  const auto folder = TempDirectory::create();
  ASSERT_TRUE(folder);
  const auto model = random_model(tiny_config("qwen3"), 1);
  const StopWhen stop([] { return true; });
  const auto written = write_gguf(folder->path() / "m.gguf", *model, DType::kF32, {});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Code::kCancelled);
  EXPECT_TRUE(std::filesystem::is_empty(folder->path()));
}

TEST(Gguf, RefusalsNameTheTensorOrTheKey) {
  const auto bytes = image(*random_model(tiny_config("qwen3"), 8));
  EXPECT_EQ(refusal("GGML" + bytes.substr(4)),
            "m.gguf: not a GGUF file (it does not begin with 'GGUF')");
  EXPECT_EQ(refusal(with_u32(bytes, "GGUF", 0, 2)), "m.gguf: GGUF version 2, only 3 is supported");
  // Behind a matrix's name: dimensions u32, two extents u64, type u32, offset u64.
  const std::string key = "blk.0.attn_k.weight";
  EXPECT_EQ(refusal(with_u32(bytes, key, 20, 10)),
            "m.gguf: tensor blk.0.attn_k.weight has type Q2_K, which is not supported (F32, F16, "
            "BF16, Q8_0, Q4_0, Q5_0, Q4_1, Q5_1, Q4_K, Q5_K and Q6_K are)");
  EXPECT_EQ(refusal(with_u32(bytes, key, 20, 99)),
            "m.gguf: tensor blk.0.attn_k.weight has unknown type 99");
  EXPECT_EQ(refusal(with_u32(bytes, key, 20, 8)),
            "m.gguf: tensor blk.0.attn_k.weight: rows of 20 elements cannot be Q8_0 (blocks of "
            "32)");
  EXPECT_EQ(refusal(with_u32(bytes, key, 20, 14)),
            "m.gguf: tensor blk.0.attn_k.weight: rows of 20 elements cannot be Q6_K (blocks of "
            "256)");
  EXPECT_EQ(refusal(with_u32(bytes, key, 24, 7)),
            "m.gguf: tensor blk.0.attn_k.weight: offset 7 is not a multiple of 32");
  EXPECT_NE(refusal(with_u32(bytes, key, 24, 0)).find("overlap at offset"), std::string::npos);
  EXPECT_NE(refusal(with_u32(bytes, key, 28, 0x7fffffff)).find("bytes of tensor data"),
            std::string::npos);
  EXPECT_EQ(refusal(with_u32(bytes, key, 4, 10)),
            "m.gguf: tensor blk.0.attn_k.weight has shape [12, 10], the config says [12, 20]");
  EXPECT_NE(refusal(with_u32(bytes, key, 8, 0x7fffffff)).find("does not fit in a file of"),
            std::string::npos);
  EXPECT_EQ(refusal(patched(bytes, key, "blk.0.attn_v.weight")),
            "m.gguf: tensor blk.0.attn_v.weight appears twice");
  EXPECT_EQ(refusal(patched(bytes, key, "blk.0.attn_k.scales")),
            "m.gguf: tensor blk.0.attn_k.weight is missing");
  EXPECT_EQ(refusal(patched(bytes, "qwen3.context_length", "qwen3.contest_length")),
            "m.gguf: metadata key qwen3.context_length is missing");
  EXPECT_EQ(refusal(patched(bytes, std::string("\5\0\0\0\0\0\0\0qwen3", 13),
                            std::string("\5\0\0\0\0\0\0\0gemma", 13))),
            "m.gguf: architecture 'gemma' is not supported (known are llama, qwen2, qwen3, "
            "hunyuan-dense, ernie4_5, gpt2, smollm3)");
  EXPECT_NE(refusal(bytes.substr(0, bytes.size() - 32)).find("bytes of tensor data"),
            std::string::npos);
}

// A file of each kind of block, and one with scaled RoPE.
class DamagedGguf : public testing::TestWithParam<const char*> {};

TEST_P(DamagedGguf, NeverCrashes) {
  auto config = tiny_config(GetParam());
  if (config.architecture == "llama")
    config.rope_scaling = {.kind = RopeScalingKind::kLlama3, .factor = 8, .original_context = 32};
  const auto bytes = image(*random_model(config, 9));
  const size_t header = bytes.find("blk.1.ffn_norm.weight") + 64;
  size_t accepted = 0;
  size_t refused = 0;
  for_each_mutation(bytes, header, 300, [&](std::span<const std::byte> mutant) {
    const auto model = load_gguf(mutant, "mutant", std::make_shared<WeightStorage>());
    ++(model ? accepted : refused);
    if (!model) return;
    EXPECT_TRUE((*model)->config().check());
    const std::vector<int32_t> ids{1, 2};
    (void)forward(**model, tensor::ref_ops(), ids, nullptr);  // reads every weight
  });
  EXPECT_GT(refused, 300u);
  EXPECT_GT(accepted, 0u);  // some bytes are names and tokens
}

INSTANTIATE_TEST_SUITE_P(Architectures, DamagedGguf,
                         testing::Values("qwen3", "llama", "gpt2", "smollm3"));

TEST(Gguf, FuzzSeedsAreOneGoodFileAndRefusedOnes) {
  size_t accepted = 0;
  size_t refused = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(Path(PLINTH_SOURCE_DIR) / "fuzz/corpus/gguf")) {
    const auto bytes = read_file(entry.path());
    ASSERT_TRUE(bytes) << bytes.error().message;
    ++(load(*bytes) ? accepted : refused);
  }
  EXPECT_EQ(accepted, 1u);
  EXPECT_GE(refused, 3u);
}

}  // namespace
}  // namespace plinth::model
