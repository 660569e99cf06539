// Real trained weights: models in the format of karpathy/llama2.c, against what its run.c computed.
//
// The files are not in the repository; SOURCES.md of the shared data says where they come from.
#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/json.h"
#include "model/model.h"
#include "model/test_model.h"
#include "text/shared_data_test.h"

namespace plinth::model {
namespace {

// Seven int32, then floats, tensor after tensor with all layers of one kind together.
// Source: export.py (legacy_export) and run.c of karpathy/llama2.c.
class Llama2c {
 public:
  static std::shared_ptr<const Model> open(const std::string& bytes) {
    auto storage = std::make_shared<Llama2c>();
    std::array<int32_t, 7> header{};
    std::memcpy(header.data(), bytes.data(), sizeof header);
    storage->floats_.resize((bytes.size() - sizeof header) / sizeof(float));
    std::memcpy(storage->floats_.data(), bytes.data() + sizeof header,
                storage->floats_.size() * sizeof(float));
    const auto config = config_of(header);
    return Model::assemble(config, storage->weights(config), nullptr, "", storage);
  }

 private:
  static ModelConfig config_of(const std::array<int32_t, 7>& header) {
    ModelConfig config;
    config.architecture = "llama";
    config.width = header[0];
    config.ffn = header[1];
    config.layers = header[2];
    config.heads = header[3];
    config.kv_heads = header[4];
    config.vocabulary = std::abs(header[5]);
    config.context = header[6];
    config.head_dim = config.width / config.heads;
    config.norm_eps = 1e-5f;
    config.rope_style = tensor::RopeStyle::kInterleaved;
    config.tied = header[5] > 0;
    PLINTH_CHECK(config.check().has_value(), "{}", config.check().error().message);
    return config;
  }

  const float* take(int64_t n) {
    PLINTH_CHECK(taken_ + static_cast<size_t>(n) <= floats_.size(), "{} floats are too few",
                 floats_.size());
    const float* found = floats_.data() + taken_;
    taken_ += static_cast<size_t>(n);
    return found;
  }

  tensor::Weight matrix(int64_t rows, int64_t cols) {
    return {take(rows * cols), tensor::DType::kF32, rows, cols};
  }

  Weights weights(const ModelConfig& config) {
    Weights weights;
    weights.layers.resize(static_cast<size_t>(config.layers));
    weights.embedding = matrix(config.vocabulary, config.width);
    for (auto& layer : weights.layers) layer.attention_norm = take(config.width);
    const auto linears = [&](std::initializer_list<Linear> kinds) {
      for (const Linear which : kinds) {
        for (auto& layer : weights.layers)
          layer.linear[static_cast<size_t>(which)] =
              matrix(config.outputs(which), config.inputs(which));
      }
    };
    linears({Linear::kQ, Linear::kK, Linear::kV, Linear::kO});
    for (auto& layer : weights.layers) layer.ffn_norm = take(config.width);
    linears({Linear::kGate, Linear::kDown, Linear::kUp});
    weights.final_norm = take(config.width);
    take(config.context * config.head_dim);  // cosines and sines, which follow from the config
    weights.head = config.tied ? weights.embedding : matrix(config.vocabulary, config.width);
    PLINTH_CHECK(taken_ == floats_.size(), "{} of {} floats used", taken_, floats_.size());
    return weights;
  }

  std::vector<float> floats_;
  size_t taken_ = 0;
};

std::vector<int32_t> greedy_from_bos(const Model& model, size_t n) {
  const auto vocabulary = static_cast<std::ptrdiff_t>(model.config().vocabulary);
  std::vector<int32_t> ids{1};
  while (ids.size() <= n) {
    const auto logits = forward(model, tensor::cpu_ops(), ids, nullptr);
    const auto last = logits.end() - vocabulary;
    ids.push_back(static_cast<int32_t>(std::max_element(last, logits.end()) - last));
  }
  ids.erase(ids.begin());
  return ids;
}

// The pieces of a llama2.c tokenizer file: int32 longest, then (float score, int32 size, bytes).
std::vector<std::string> pieces_of(const std::string& bytes) {
  std::vector<std::string> pieces;
  for (size_t at = 4; at + 8 <= bytes.size();) {
    int32_t size = 0;
    std::memcpy(&size, bytes.data() + at + 4, sizeof size);
    pieces.push_back(bytes.substr(at + 8, static_cast<size_t>(size)));
    at += 8 + static_cast<size_t>(size);
  }
  return pieces;
}

// As run.c prints them: no blank at the very beginning, "<0x0A>" as its byte, until BOS.
std::string text_of(const std::vector<int32_t>& ids, const std::vector<std::string>& pieces) {
  std::string text;
  for (const int32_t id : ids) {
    if (id == 1) break;
    std::string piece = pieces[static_cast<size_t>(id)];
    if (text.empty() && piece.starts_with(' ')) piece.erase(0, 1);
    unsigned byte = 0;
    if (std::sscanf(piece.c_str(), "<0x%02X>", &byte) == 1) piece = static_cast<char>(byte);
    text += piece;
  }
  return text;
}

class TrainedWeights : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(TrainedWeights, ComputeWhatRunCComputed) {
  const std::string folder = std::string("weights/") + GetParam().first + "/";
  const auto bytes = text::shared_text(folder + GetParam().second);
  PLINTH_SKIP_WITHOUT(bytes, folder + GetParam().second);
  const auto golden = text::shared_text(folder + "golden.json");
  PLINTH_SKIP_WITHOUT(golden, folder + "golden.json");
  const auto model = Llama2c::open(bytes);
  const Json known = Json::parse(golden);
  const auto greedy = known["greedy_ids_from_bos"].get<std::vector<int32_t>>();
  EXPECT_EQ(greedy_from_bos(*model, greedy.size()), greedy);

  std::vector<float> logits;
  for (const auto& row : known["logits_first_4_positions"])
    for (const auto& value : row) logits.push_back(value.get<float>());
  const std::vector<int32_t> ids{1, greedy[0], greedy[1], greedy[2]};
  for (const auto* ops : {&tensor::ref_ops(), &tensor::cpu_ops()})
    EXPECT_LE(relative_error(forward(*model, *ops, ids, nullptr), logits), 1e-4) << ops->name;
}

INSTANTIATE_TEST_SUITE_P(Llama2c, TrainedWeights,
                         testing::Values(std::pair{"stories260K", "stories260K.bin"},
                                         std::pair{"babyllama-tok105", "model5000.bin"},
                                         std::pair{"llama2xs", "model.bin"}),
                         [](const auto& test) {
                           std::string name = test.param.first;
                           std::erase(name, '-');
                           return name;
                         });

TEST(TrainedWeights, TellTheStoryThatRunCTells) {
  const std::string folder = "weights/stories260K/";
  const auto bytes = text::shared_text(folder + "stories260K.bin");
  const auto story = text::shared_text(folder + "expected_greedy_200.txt");
  const auto tokenizer = text::shared_text(folder + "tok512.bin");
  PLINTH_SKIP_WITHOUT(bytes, folder + "stories260K.bin");
  PLINTH_SKIP_WITHOUT(story, folder + "expected_greedy_200.txt");
  PLINTH_SKIP_WITHOUT(tokenizer, folder + "tok512.bin");
  const auto text = text_of(greedy_from_bos(*Llama2c::open(bytes), 200), pieces_of(tokenizer));
  const auto end = story.find_last_not_of('\n') + 1;
  ASSERT_GT(end, 300u);
  EXPECT_EQ(text.substr(0, end), story.substr(0, end));
}

}  // namespace
}  // namespace plinth::model
