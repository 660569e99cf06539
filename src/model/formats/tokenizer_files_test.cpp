#include "model/formats/tokenizer_files.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "model/model.h"
#include "model/test_model.h"
#include "text/vectors_test.h"

namespace plinth::model {
namespace {

const Path kGolden = Path(PLINTH_SOURCE_DIR) / "tests/golden/tokenizer";

class GgufVocabulary : public testing::TestWithParam<const char*> {};

TEST_P(GgufVocabulary, ReproducesItsVectors) {
  const std::string name = GetParam();
  const std::string path = "tokenizers/gguf-vocab/ggml-vocab-" + name + ".gguf.zst";
  const std::string bytes = text::shared_text(path);
  PLINTH_SKIP_WITHOUT(bytes, path);
  const auto file = GgufFile::parse(std::as_bytes(std::span(bytes)), name);
  ASSERT_TRUE(file) << file.error().message;
  const auto tokenizer = read_gguf_tokenizer(*file, name);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  text::expect_vectors(**tokenizer, name);
}

INSTANTIATE_TEST_SUITE_P(Shared, GgufVocabulary,
                         testing::Values("gpt-2", "llama-spm", "phi-3", "deepseek-llm",
                                         "deepseek-coder"));

TEST(GgufTokenizer, BaichuanRoundTrips) {
  const std::string path = "tokenizers/gguf-vocab/ggml-vocab-baichuan.gguf.zst";
  const std::string bytes = text::shared_text(path);
  PLINTH_SKIP_WITHOUT(bytes, path);
  const auto file = GgufFile::parse(std::as_bytes(std::span(bytes)), "baichuan");
  ASSERT_TRUE(file) << file.error().message;
  const auto tokenizer = read_gguf_tokenizer(*file, "baichuan");
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const std::string text = "合同义务，应当承担 12345 违约责任。\n🦙 x";
  EXPECT_EQ((*tokenizer)->decode((*tokenizer)->encode(text, false)), text);
}

TEST(GgufTokenizer, OtherModelsAreRefusedByName) {
  const std::string path = "tokenizers/gguf-vocab/ggml-vocab-bert-bge.gguf.zst";
  const std::string bytes = text::shared_text(path);
  PLINTH_SKIP_WITHOUT(bytes, path);
  const auto file = GgufFile::parse(std::as_bytes(std::span(bytes)), "bge");
  ASSERT_TRUE(file);
  const auto tokenizer = read_gguf_tokenizer(*file, "bge");
  ASSERT_FALSE(tokenizer);
  EXPECT_NE(tokenizer.error().message.find("tokenizer model 'bert'"), std::string::npos);
}

// What write_gguf() makes of each kind of tokenizer, read again, encodes alike.
TEST(GgufTokenizer, ComesBackFromAFile) {
  const Path path = std::filesystem::temp_directory_path() / "plinth-vocabulary.gguf";
  const std::string text = "  合同<sep> it's A\uFF0Cb 123\n\xFF x brown fox the 🦙  ";
  for (const char* name :
       {"qwen2.json", "smollm.json", "deepseek-v3.json", "llama2.json", "mistral.json",
        "added.json", "sp-bpe.model", "sp-unigram.model", "sp-suffix.model", "sp-plain.model"}) {
    const auto tokenizer = *open_tokenizer(kGolden / name);
    auto config = tiny_config("qwen2");
    config.vocabulary = tokenizer->size() + 5;
    const auto model = random_model(config, 3);
    const auto dressed = Model::assemble(model->config(), model->weights(), tokenizer, "", model);
    ASSERT_TRUE(write_gguf(path, *dressed, tensor::DType::kF32, Json()));
    const auto again = open_tokenizer(path);
    ASSERT_TRUE(again) << name << ": " << again.error().message;
    EXPECT_EQ((*again)->size(), tokenizer->size()) << name;
    for (const bool special : {false, true})
      EXPECT_EQ((*again)->encode_whole(text, special), tokenizer->encode_whole(text, special))
          << name;
    EXPECT_EQ((*again)->encode_more(text), tokenizer->encode_more(text)) << name;
    const auto ids = tokenizer->encode(text, false);
    EXPECT_EQ((*again)->decode(ids), tokenizer->decode(ids)) << name;
    EXPECT_EQ((*again)->bos(), tokenizer->bos()) << name;
  }
  std::filesystem::remove(path);
}

TEST(OpenTokenizer, ReadsFilesOfEachKind) {
  for (const char* name : {"qwen2.json", "llama2.json", "sp-bpe.model"}) {
    const auto tokenizer = open_tokenizer(kGolden / name);
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    EXPECT_FALSE((*tokenizer)->encode("合同 it's", false).empty()) << name;
  }
  EXPECT_FALSE(open_tokenizer(kGolden / "missing.json"));
  EXPECT_FALSE(open_tokenizer(kGolden / "make.py"));
  EXPECT_FALSE(open_tokenizer(kGolden));
}

TEST(OpenTokenizer, ReadsASentencePieceFolder) {
  const Path folder = std::filesystem::temp_directory_path() / "plinth-sp-folder";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  std::filesystem::copy_file(kGolden / "sp-bpe.model", folder / "tokenizer.model");
  const auto bare = *open_tokenizer(kGolden / "sp-bpe.model");
  const std::string config = R"({"eos_token":"<|end|>","added_tokens_decoder":{")" +
                             std::to_string(bare->size()) +
                             R"(":{"content":"<|end|>","special":true}}})";
  ASSERT_TRUE(write_file_atomic(folder / "tokenizer_config.json", config));
  const auto tokenizer = open_tokenizer(folder);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ((*tokenizer)->eos(), bare->size());
  EXPECT_EQ((*tokenizer)->encode_whole("", false), (std::vector<int32_t>{bare->bos()}));
  const std::string text = "合同 it's a 123";
  EXPECT_EQ((*tokenizer)->encode(text, false), bare->encode(text, false));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace plinth::model
