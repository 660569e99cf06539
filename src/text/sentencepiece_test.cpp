#include <string>

#include <gtest/gtest.h>

#include "core/json.h"
#include "text/charsmap.h"
#include "text/shared_data_test.h"
#include "text/tokenizer.h"

namespace plinth::text {
namespace {

const Path kGolden = Path(PLINTH_SOURCE_DIR) / "tests/golden/tokenizer";

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

// tests/golden/tokenizer/make.py writes these files with the sentencepiece library.
void expect_golden(const std::string& model, const std::string& name) {
  const auto tokenizer = Tokenizer::from_sentencepiece(model);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const auto file = read_file(kGolden / (name + ".encodings.json"));
  ASSERT_TRUE(file);
  const auto rows = parse_json(*file, name);
  ASSERT_TRUE(rows);
  ASSERT_GT(rows->size(), 80u);
  for (const Json& row : *rows) {
    const std::string text =
        row.contains("hex") ? from_hex(row["hex"]) : row["text"].get<std::string>();
    const auto ids = row["ids"].get<std::vector<int32_t>>();
    EXPECT_EQ((*tokenizer)->encode(text, false), ids) << name << " '" << text << "'";
    EXPECT_EQ((*tokenizer)->decode(ids), row["decoded"].get<std::string>()) << name << " " << text;
    StreamDecoder stream(**tokenizer);
    std::string streamed;
    for (const int32_t id : ids) streamed += stream.push(id);
    EXPECT_EQ(streamed + stream.finish(), row["decoded"].get<std::string>()) << name;
  }
}

class SentencePieceGolden : public testing::TestWithParam<const char*> {};

TEST_P(SentencePieceGolden, AgreesWithTheLibrary) {
  const auto model = read_file(kGolden / (std::string(GetParam()) + ".model"));
  ASSERT_TRUE(model);
  expect_golden(*model, GetParam());
}

INSTANTIATE_TEST_SUITE_P(All, SentencePieceGolden,
                         testing::Values("sp-bpe", "sp-unigram", "sp-suffix", "sp-plain"));

// Sums of scores that grow past what float32 can tell apart: the library begins them anew. The
// figures are sentencepiece 0.2.3's for the same text.
TEST(SentencePieceUnigram, LongTextsAgreeWithTheLibrary) {
  const auto model = read_file(kGolden / "sp-unigram.model");
  ASSERT_TRUE(model);
  const auto tokenizer = Tokenizer::from_sentencepiece(*model);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz    eeeeaaaattttoooo  ";
  std::string text;
  uint32_t state = 1;
  for (int i = 0; i < 600'000; ++i) {
    state = (state * 1103515245u + 12345u) % (uint32_t{1} << 31);
    text += kLetters[(state >> 16) % kLetters.size()];
  }
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a over the ids
  const auto ids = (*tokenizer)->encode(text, false);
  for (const int32_t id : ids) hash = (hash ^ static_cast<uint64_t>(id)) * 0x100000001b3;
  EXPECT_EQ(ids.size(), 545'322u);
  EXPECT_EQ(hash, 0x1447abaaa7d92226u);
}

TEST(SentencePieceShared, Llama2) {
  const std::string model = shared_text("tokenizers/llama2/tokenizer.model");
  PLINTH_SKIP_WITHOUT(model, "tokenizers/llama2/tokenizer.model");
  expect_golden(model, "shared-llama2");
}

TEST(SentencePieceShared, InternLm2) {
  const std::string model = shared_text("tokenizers/internlm2/tokenizer.model.zst");
  PLINTH_SKIP_WITHOUT(model, "tokenizers/internlm2/tokenizer.model.zst");
  expect_golden(model, "shared-internlm2");
}

TEST(SentencePieceShared, UnigramWithNmtNfkc) {
  for (const char* name : {"test_model", "test_ja_model"}) {
    const std::string file = std::string("tokenizers/sentencepiece-tests/") + name + ".model";
    const std::string model = shared_text(file);
    PLINTH_SKIP_WITHOUT(model, file);
    expect_golden(model, std::string("shared-") + name);
  }
}

TEST(SentencePiece, SpecialTokensAreControlPieces) {
  const auto model = read_file(kGolden / "sp-bpe.model");
  const auto tokenizer = *Tokenizer::from_sentencepiece(*model);
  EXPECT_EQ(tokenizer->bos(), 1);
  EXPECT_EQ(tokenizer->eos(), 2);
  const int32_t control = tokenizer->special_id("<ctl>");
  ASSERT_GE(control, 0);
  EXPECT_TRUE(tokenizer->is_special(control));
  EXPECT_EQ(tokenizer->encode("<ctl>", true), (std::vector<int32_t>{control}));
  EXPECT_EQ(tokenizer->decode(std::vector<int32_t>{control}), "");
}

TEST(SentencePiece, RefusesWhatCannotBe) {
  const auto message = [](std::string_view model) {
    const auto result = Tokenizer::from_sentencepiece(model);
    return result ? std::string() : result.error().message;
  };
  EXPECT_EQ(message(""), "tokenizer.model: no unknown piece");
  EXPECT_NE(message("\x0A\xFF").find("number without an end"), std::string::npos);
  EXPECT_NE(message("\x0A\x05zz").find("field 1 of 5 bytes, 2 are left"), std::string::npos);
  EXPECT_NE(message("\x0B").find("wire type 3"), std::string::npos);
  EXPECT_NE(message(std::string("\x0A\x00", 2)).find("piece 0 has no text"), std::string::npos);
  const auto model = read_file(kGolden / "sp-bpe.model");
  for (size_t size = 0; size < model->size(); size += 7)
    (void)Tokenizer::from_sentencepiece(std::string_view(*model).substr(0, size));
}

TEST(Charsmap, RefusesWhatDoesNotFit) {
  EXPECT_FALSE(Charsmap::create(""));
  EXPECT_FALSE(Charsmap::create(std::string("\x08\x00\x00\x00zz", 6)));
  EXPECT_FALSE(Charsmap::create(std::string("\x04\x00\x00\x00zzzzx", 9)));
  // A unit that points far outside.
  const std::string wild("\x04\x00\x00\x00\xFF\xFF\xFF\x7F\x00", 9);
  const auto map = Charsmap::create(wild);
  ASSERT_TRUE(map);
  EXPECT_FALSE(map->find("abc"));
}

}  // namespace
}  // namespace plinth::text
