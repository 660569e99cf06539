#include "model/formats/safetensors.h"

#include <cstring>
#include <filesystem>
#include <vector>

#include <gtest/gtest.h>

#include "model/formats/mutations.h"

namespace plinth::model {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// A file with this header and this many bytes of data.
std::string file_of(const std::string& header, size_t data) {
  const uint64_t length = header.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + header + std::string(data, '\1');
}

std::string refusal(const std::string& bytes) {
  const auto tensors = parse_safetensors(bytes_of(bytes), "a.st");
  return tensors ? "accepted" : tensors.error().message;
}

std::string refusal(const std::string& header, size_t data) {
  return refusal(file_of(header, data));
}

std::string valid_file() {
  return file_of(
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[3],"data_offsets":[24,30]},)"
      R"("a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
      R"("none":{"dtype":"F16","shape":[0,7],"data_offsets":[30,30]}})",
      30);
}

TEST(Safetensors, ReadsTensorsInTheOrderOfTheData) {
  const auto bytes = valid_file();
  const auto tensors = parse_safetensors(bytes_of(bytes), "a.st");
  ASSERT_TRUE(tensors) << tensors.error().message;
  ASSERT_EQ(tensors->size(), 3u);
  EXPECT_EQ((*tensors)[0].name, "a");
  EXPECT_EQ((*tensors)[0].shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ((*tensors)[1].name, "b");
  EXPECT_EQ((*tensors)[1].type, tensor::DType::kBF16);
  EXPECT_EQ((*tensors)[1].bytes.size(), 6u);
  EXPECT_EQ((*tensors)[2].bytes.size(), 0u);
}

TEST(Safetensors, GivesBackWhatWasWritten) {
  const std::vector<float> values{1.5f, -2.0f, 3.25f};
  const auto data = std::as_bytes(std::span(values));
  const std::vector<StoredTensor> written{{"y", tensor::DType::kF32, {3, 1}, data},
                                          {"x", tensor::DType::kF16, {2}, data.first(4)}};
  const auto folder = TempDirectory::create();
  ASSERT_TRUE(folder);
  const Path path = folder->path() / "t.safetensors";
  ASSERT_TRUE(write_safetensors(path, written, {{"format", "pt"}}));
  const auto bytes = read_file(path);
  ASSERT_TRUE(bytes);
  const auto tensors = parse_safetensors(bytes_of(*bytes), "t");
  ASSERT_TRUE(tensors) << tensors.error().message;
  ASSERT_EQ(tensors->size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ((*tensors)[i].name, written[i].name);
    EXPECT_EQ((*tensors)[i].type, written[i].type);
    EXPECT_EQ((*tensors)[i].shape, written[i].shape);
    EXPECT_TRUE(std::ranges::equal((*tensors)[i].bytes, written[i].bytes));
  }
  EXPECT_EQ((bytes->size() - 16) % 8, 0u) << "the data begins at a multiple of eight";
}

TEST(Safetensors, RefusalsNameTheTensorAndTheNumbers) {
  EXPECT_EQ(refusal("abc"), "a.st: 3 bytes are too few for safetensors");
  EXPECT_EQ(refusal(std::string("\xff\0\0\0\0\0\0\0{}", 10)),
            "a.st: a header of 255 bytes in a file of 10");
  EXPECT_EQ(refusal("[]", 0), "a.st: the header is array, not an object");
  EXPECT_EQ(refusal(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                    R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                    4),
            "a.st: 'a' appears twice in the header");
  EXPECT_EQ(refusal(R"({"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}})", 8),
            "a.st: tensor a: type F64 is not supported (F32, F16 and BF16 are)");
  EXPECT_EQ(refusal(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4),
            "a.st: tensor a: shape [2] of F32 needs 8 bytes, data_offsets give 4");
  EXPECT_EQ(refusal(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 3),
            "a.st: tensor a: data_offsets [0,4] in 3 bytes of data");
  EXPECT_EQ(refusal(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4),
            "a.st: tensor a: data_offsets [4,0] in 4 bytes of data");
  EXPECT_EQ(refusal(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4),
            "a.st: tensor a: 'shape' holds -1");
  EXPECT_EQ(refusal(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],)"
                    R"("data_offsets":[0,0]}})",
                    0),
            "a.st: tensor a: shape [4294967296,4294967296] overflows");
  EXPECT_EQ(refusal(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                    R"("b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                    4),
            "a.st: tensor b begins at 0, the one before ends at 4");
  EXPECT_EQ(refusal(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 5),
            "a.st: tensors cover 4 of 5 bytes of data");
}

TEST(Safetensors, DamagedFilesNeverCrash) {
  const auto valid = valid_file();
  size_t refused = 0;
  for_each_mutation(valid, valid.size(), 2000, [&](std::span<const std::byte> mutant) {
    const auto tensors = parse_safetensors(mutant, "mutant");
    refused += tensors ? 0 : 1;
    if (!tensors) return;
    for (const auto& tensor : *tensors) {
      if (tensor.bytes.empty()) continue;
      EXPECT_GE(tensor.bytes.data(), mutant.data());
      EXPECT_LE(tensor.bytes.data() + tensor.bytes.size(), mutant.data() + mutant.size());
    }
  });
  EXPECT_GT(refused, 1000u);
}

TEST(Safetensors, FuzzSeedsAreOneGoodFileAndRefusedOnes) {
  size_t accepted = 0;
  size_t refused = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(Path(PLINTH_SOURCE_DIR) / "fuzz/corpus/safetensors")) {
    const auto bytes = read_file(entry.path());
    ASSERT_TRUE(bytes) << bytes.error().message;
    ++(refusal(*bytes) == "accepted" ? accepted : refused);
  }
  EXPECT_EQ(accepted, 1u);
  EXPECT_GE(refused, 3u);
}

}  // namespace
}  // namespace plinth::model
