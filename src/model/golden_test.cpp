// Against transformers and peft: see tests/golden/model/make.py.
#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "core/json.h"
#include "model/model.h"
#include "model/test_model.h"

namespace plinth::model {
namespace {

constexpr double kTolerance = 1e-4;

Path folder_of(const std::string& name) {
  return Path(PLINTH_SOURCE_DIR) / "tests" / "golden" / "model" / name;
}

std::shared_ptr<const Model> opened(const Path& path) {
  auto model = Model::open(path);
  EXPECT_TRUE(model) << model.error().message;
  return model ? *model : nullptr;
}

struct Expected {
  std::vector<int32_t> ids;
  std::vector<size_t> rows;  // of the ids, those whose logits are known
  Json base;
  Json adapter;
};

Expected read_expected(const std::string& name) {
  const auto text = read_file(folder_of(name) / "expected.json");
  PLINTH_CHECK(text.has_value(), "{}", text.error().message);
  const Json json = Json::parse(*text);
  return {json["ids"].get<std::vector<int32_t>>(), json["rows"].get<std::vector<size_t>>(),
          json["base"], json.value("adapter", Json())};
}

std::vector<float> flat(const Json& rows) {
  std::vector<float> values;
  for (const auto& row : rows) {
    for (const auto& value : row) values.push_back(value.get<float>());
  }
  return values;
}

std::vector<float> chosen_rows(const std::vector<float>& logits, const std::vector<size_t>& rows,
                               int64_t vocabulary) {
  std::vector<float> chosen;
  for (const size_t row : rows) {
    const auto begin = logits.begin() + static_cast<std::ptrdiff_t>(row) * vocabulary;
    chosen.insert(chosen.end(), begin, begin + vocabulary);
  }
  return chosen;
}

std::vector<int32_t> greedy(const Model& model, const tensor::Ops& ops, std::vector<int32_t> ids,
                            const Adapter* adapter, size_t n) {
  const auto vocabulary = static_cast<std::ptrdiff_t>(model.config().vocabulary);
  const size_t prompt = ids.size();
  while (ids.size() < prompt + n) {
    const auto logits = forward(model, ops, ids, adapter);
    const auto last = logits.end() - vocabulary;
    ids.push_back(static_cast<int32_t>(std::max_element(last, logits.end()) - last));
  }
  return {ids.begin() + static_cast<std::ptrdiff_t>(prompt), ids.end()};
}

void expect_same(const Model& model, const tensor::Ops& ops, const Expected& known,
                 const Adapter* adapter) {
  const Json& expected = adapter == nullptr ? known.base : known.adapter;
  const auto logits = forward(model, ops, known.ids, adapter);
  EXPECT_LE(relative_error(chosen_rows(logits, known.rows, model.config().vocabulary),
                           flat(expected["logits"])),
            kTolerance);
  ASSERT_EQ(expected["greedy"].size(), 64u);
  EXPECT_EQ(greedy(model, ops, known.ids, adapter, 64),
            expected["greedy"].get<std::vector<int32_t>>());
}

class Golden : public testing::TestWithParam<std::tuple<const char*, const char*>> {
 protected:
  std::string name() const { return std::get<0>(GetParam()); }

  const tensor::Ops& ops() const {
    return std::string_view(std::get<1>(GetParam())) == "ref" ? tensor::ref_ops()
                                                              : tensor::cpu_ops();
  }
};

class GoldenAdapter : public Golden {};

class GoldenGguf : public Golden {};

TEST_P(Golden, BaseComputesWhatTransformersComputes) {
  const auto model = opened(folder_of(name()));
  ASSERT_NE(model, nullptr);
  const auto expected = read_expected(name());
  expect_same(*model, ops(), expected, nullptr);
}

TEST_P(GoldenAdapter, ComputesWhatPeftComputes) {
  const auto model = opened(folder_of(name()));
  ASSERT_NE(model, nullptr);
  const auto expected = read_expected(name());
  const auto adapter = Adapter::open(folder_of(name()) / "adapter", model->config());
  ASSERT_TRUE(adapter) << adapter.error().message;
  expect_same(*model, ops(), expected, adapter->get());
}

// A file as llama.cpp's converter lays it out, written by make_gguf_adapters.py; over a base of
// either format, and written again by us.
TEST_P(GoldenAdapter, GgufAdapterComputesTheSame) {
  const auto model = opened(folder_of(name()));
  ASSERT_NE(model, nullptr);
  const auto expected = read_expected(name());
  auto folder = TempDirectory::create();
  ASSERT_TRUE(folder) << folder.error().message;
  ASSERT_TRUE(write_gguf(folder->path() / "base.gguf", *model, tensor::DType::kF32, {}));
  const auto copy = opened(folder->path() / "base.gguf");
  ASSERT_NE(copy, nullptr);
  for (const auto& base : {model, copy}) {
    const auto adapter = Adapter::open(folder_of(name()) / "adapter.gguf", base->config());
    ASSERT_TRUE(adapter) << adapter.error().message;
    expect_same(*base, ops(), expected, adapter->get());
    const Path again = folder->path() / "again.gguf";
    ASSERT_TRUE(write_gguf_adapter(again, **adapter, base->config()));
    const auto second = Adapter::open(again, base->config());
    ASSERT_TRUE(second) << second.error().message;
    expect_same(*base, ops(), expected, second->get());
    ASSERT_TRUE(write_peft(folder->path() / "peft", **adapter, base->config()));
    const auto third = Adapter::open(folder->path() / "peft", model->config());
    ASSERT_TRUE(third) << third.error().message;
    expect_same(*model, ops(), expected, third->get());
  }
}

// The same figures through our own file; llama's q and k change their RoPE style on the way.
TEST_P(Golden, GgufCopyComputesTheSame) {
  const auto model = opened(folder_of(name()));
  ASSERT_NE(model, nullptr);
  auto folder = TempDirectory::create();
  ASSERT_TRUE(folder) << folder.error().message;
  const Path path = folder->path() / "copy.gguf";
  const auto written = write_gguf(path, *model, tensor::DType::kF32, {});
  ASSERT_TRUE(written) << written.error().message;
  const auto copy = opened(path);
  ASSERT_NE(copy, nullptr);
  const auto expected = read_expected(name());
  EXPECT_EQ(copy->config().architecture, model->config().architecture);
  EXPECT_EQ(copy->config().context, model->config().context);
  EXPECT_EQ(copy->parameters(), model->parameters());
  EXPECT_LE(relative_error(forward(*copy, ops(), expected.ids, nullptr),
                           forward(*model, ops(), expected.ids, nullptr)),
            1e-5);  // rotated rows lie in another order, so dot products round otherwise
  expect_same(*copy, ops(), expected, nullptr);
  if (expected.adapter.is_null()) return;
  const auto adapter = Adapter::open(folder_of(name()) / "adapter", copy->config());
  ASSERT_TRUE(adapter) << adapter.error().message;
  expect_same(*copy, ops(), expected, adapter->get());
}

// A file as llama.cpp's converter lays it out, written by make_gguf.py.
TEST_P(GoldenGguf, ComputesWhatTransformersComputes) {
  const Path path = folder_of(name()) / "model.gguf";
  const auto model = opened(path);
  ASSERT_NE(model, nullptr);
  expect_same(*model, ops(), read_expected(name()), nullptr);
}

std::string case_name(const testing::TestParamInfo<Golden::ParamType>& test) {
  return std::string(std::get<0>(test.param)) + "_" + std::get<1>(test.param);
}

const auto kBackends = testing::Values("ref", "cpu");

INSTANTIATE_TEST_SUITE_P(Architectures, Golden,
                         testing::Combine(testing::Values("qwen3", "qwen2", "qwen2_yarn", "llama",
                                                          "llama3", "llama_linear", "llama_dynamic",
                                                          "smollm2", "smollm3", "mistral",
                                                          "hunyuan", "ernie", "gpt2"),
                                          kBackends),
                         case_name);
INSTANTIATE_TEST_SUITE_P(Architectures, GoldenAdapter,
                         testing::Combine(testing::Values("qwen3", "qwen2", "llama", "smollm3",
                                                          "hunyuan", "ernie", "gpt2"),
                                          kBackends),
                         case_name);
INSTANTIATE_TEST_SUITE_P(Architectures, GoldenGguf,
                         testing::Combine(testing::Values("qwen2_yarn", "llama3", "llama_linear",
                                                          "mistral", "smollm3", "hunyuan", "ernie",
                                                          "gpt2"),
                                          kBackends),
                         case_name);

TEST(HuggingFaceFolder, ReadsHowFarAModelReaches) {
  const auto context = [](const char* name) { return opened(folder_of(name))->config().context; };
  EXPECT_EQ(context("mistral"), 96);      // its window, out of 128
  EXPECT_EQ(context("qwen2_yarn"), 128);  // four times 32
  EXPECT_EQ(context("llama_dynamic"), 128);
  EXPECT_EQ(context("gpt2"), 80);
}

TEST(HuggingFaceFolder, TakesTokenizerTemplateAndSpecialTokens) {
  const auto model = opened(folder_of("qwen3"));
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->config().name, "qwen3");
  EXPECT_TRUE(model->config().tied);
  EXPECT_EQ(model->config().rope_theta, 50000.0f);
  EXPECT_EQ(model->tokenizer().size(), 261);
  EXPECT_EQ(model->tokenizer().eos(), model->tokenizer().special_id("<|im_end|>"));
  EXPECT_EQ(model->tokenizer().bos(), -1);
  EXPECT_NE(model->chat_template().find("<|im_start|>"), std::string::npos);
  EXPECT_EQ(model->digest().size(), 64u);
}

}  // namespace
}  // namespace plinth::model
