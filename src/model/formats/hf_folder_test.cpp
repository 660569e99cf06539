// Sharded checkpoints: one of the golden ones, dealt out anew.
#include <deque>
#include <filesystem>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "core/json.h"
#include "model/formats/safetensors.h"
#include "model/test_model.h"

namespace plinth::model {
namespace {

using tensor::DType;

constexpr const char* kIndex = "model.safetensors.index.json";

class Sharded : public testing::Test {
 protected:
  void SetUp() override {
    auto made = TempDirectory::create();
    ASSERT_TRUE(made) << made.error().message;
    folder_.emplace(*std::move(made));
    const Path golden = Path(PLINTH_SOURCE_DIR) / "tests/golden/model/qwen3";
    for (const char* file : {"config.json", "tokenizer.json", "tokenizer_config.json"})
      std::filesystem::copy_file(golden / file, folder_->path() / file);
    const auto whole = Model::open(golden);
    ASSERT_TRUE(whole) << whole.error().message;
    whole_ = *whole;
    bytes_ = *read_file(golden / "model.safetensors");
    const auto tensors = parse_safetensors(std::as_bytes(std::span(bytes_)), "golden");
    ASSERT_TRUE(tensors) << tensors.error().message;
    tensors_ = *tensors;
  }

  // Deals tensor i out to shard_of(i), as type_of(i).
  void write(const std::function<size_t(size_t)>& shard_of,
             const std::function<DType(size_t)>& type_of) {
    std::map<std::string, std::vector<StoredTensor>> shards;
    Json map = Json::object();
    for (size_t i = 0; i < tensors_.size(); ++i) {
      const auto name = fmt::format("part-{}.safetensors", shard_of(i));
      shards[name].push_back(as(tensors_[i], type_of(i)));
      map[tensors_[i].name] = name;
    }
    for (const auto& [name, tensors] : shards) write_shard(name, tensors);
    write_index(map);
  }

  void write_shard(const std::string& name, const std::vector<StoredTensor>& tensors) {
    ASSERT_TRUE(write_safetensors(folder_->path() / name, tensors, {}));
  }

  void write_index(const Json& map) {
    ASSERT_TRUE(write_file_atomic(folder_->path() / kIndex, Json({{"weight_map", map}}).dump()));
  }

  Json index() const { return Json::parse(*read_file(folder_->path() / kIndex))["weight_map"]; }

  StoredTensor as(const StoredTensor& stored, DType type) {
    const auto n = static_cast<int64_t>(stored.bytes.size() / tensor::row_bytes(stored.type, 1));
    std::vector<float> floats(static_cast<size_t>(n));
    tensor::to_f32(stored.bytes.data(), stored.type, n, floats.data());
    auto& bytes = converted_.emplace_back(tensor::row_bytes(type, n));
    tensor::from_f32(floats.data(), n, type, bytes.data());
    return {stored.name, type, stored.shape, bytes};
  }

  std::string refusal() const {
    const auto model = Model::open(folder_->path());
    return model ? "accepted" : model.error().message;
  }

  std::optional<TempDirectory> folder_;
  std::shared_ptr<const Model> whole_;
  std::string bytes_;
  std::vector<StoredTensor> tensors_;
  std::deque<std::vector<std::byte>> converted_;
};

DType always_f32(size_t) {
  return DType::kF32;
}

size_t one_each(size_t i) {
  return i;
}

TEST_F(Sharded, AnyDealIsTheSameModel) {
  const std::vector<int32_t> ids{1, 2, 3};
  const auto expected = forward(*whole_, tensor::ref_ops(), ids, nullptr);
  for (const size_t shards : {size_t{1}, size_t{2}, size_t{7}, tensors_.size()}) {
    write([&](size_t i) { return i * 5 % shards; }, always_f32);
    const auto model = Model::open(folder_->path());
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ(forward(**model, tensor::ref_ops(), ids, nullptr), expected) << shards;
    EXPECT_EQ((*model)->parameters(), whole_->parameters());
  }
}

TEST_F(Sharded, TypesMayBeMixedAndStayAsTheyAre) {
  const auto type_of = [](size_t i) {
    constexpr std::array kTypes{DType::kF32, DType::kF16, DType::kBF16};
    return kTypes[i % 3];
  };
  write([](size_t i) { return i % 4; }, type_of);
  const auto model = Model::open(folder_->path());
  ASSERT_TRUE(model) << model.error().message;
  const auto counts = (*model)->tensor_counts();
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16})
    EXPECT_GT(counts.at(type).tensors, 0) << tensor::dtype_name(type);
  const std::vector<int32_t> ids{1, 2, 3};
  EXPECT_LE(relative_error(forward(**model, tensor::cpu_ops(), ids, nullptr),
                           forward(*whole_, tensor::cpu_ops(), ids, nullptr)),
            0.05);  // bfloat16 keeps eight bits
}

TEST_F(Sharded, AMissingShardIsNamed) {
  write(one_each, always_f32);
  std::filesystem::remove(folder_->path() / "part-3.safetensors");
  EXPECT_NE(refusal().find("part-3.safetensors"), std::string::npos) << refusal();
}

TEST_F(Sharded, ATensorThatNoShardHasIsNamed) {
  write([](size_t i) { return i % 2; }, always_f32);
  std::vector<StoredTensor> some;
  std::string left_out;
  for (size_t i = 1; i < tensors_.size(); i += 2) {
    if (left_out.empty())
      left_out = tensors_[i].name;
    else
      some.push_back(as(tensors_[i], DType::kF32));
  }
  write_shard("part-1.safetensors", some);
  EXPECT_EQ(refusal(), fmt::format("{}: tensor {} is in part-1.safetensors, says {}, and is not",
                                   folder_->path().string(), left_out, kIndex));
}

TEST_F(Sharded, ATensorInTwoShardsIsNamed) {
  write([](size_t i) { return i % 2; }, always_f32);
  std::vector<StoredTensor> more;
  for (size_t i = 1; i < tensors_.size(); i += 2) more.push_back(as(tensors_[i], DType::kF32));
  more.push_back(as(tensors_[0], DType::kF32));
  write_shard("part-1.safetensors", more);
  EXPECT_EQ(refusal(),
            fmt::format("{}: tensor {} appears twice", folder_->path().string(), tensors_[0].name));
}

TEST_F(Sharded, AnIndexThatPointsElsewhereIsRefused) {
  write(one_each, always_f32);
  const auto good = index();
  const auto with = [&](const Json& shard) {
    Json map = good;
    map[tensors_[0].name] = shard;
    write_index(map);
    return refusal();
  };
  for (const char* path : {"../part-0.safetensors", "/etc/passwd", "a/b", "", "."})
    EXPECT_NE(with(path).find("which is not a file of this folder"), std::string::npos) << path;
  EXPECT_NE(with(7).find("which is not a file of this folder"), std::string::npos);
  write_index(Json::array());
  EXPECT_NE(refusal().find("'weight_map' is not an object"), std::string::npos);
  write_index(Json::object());
  EXPECT_NE(refusal().find("is missing"), std::string::npos) << refusal();
}

TEST_F(Sharded, ACutShardIsNamed) {
  write([](size_t i) { return i % 3; }, always_f32);
  const Path shard = folder_->path() / "part-2.safetensors";
  std::filesystem::resize_file(shard, std::filesystem::file_size(shard) - 1);
  EXPECT_NE(refusal().find("part-2.safetensors"), std::string::npos) << refusal();
}

}  // namespace
}  // namespace plinth::model
