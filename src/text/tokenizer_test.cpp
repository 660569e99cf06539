#include "text/tokenizer.h"

#include <algorithm>
#include <sstream>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "core/json.h"
#include "core/rng.h"
#include "text/byte_alphabet.h"
#include "text/pre_tokenizer.h"
#include "text/shared_data_test.h"

namespace plinth::text {
namespace {

// All 256 byte tokens and a few merges, two special tokens and a user-defined one.
BpeSpec small_spec(const std::string& pre = "qwen2") {
  BpeSpec spec;
  for (int byte = 0; byte < 256; ++byte)
    spec.tokens.push_back(to_byte_alphabet(std::string(1, static_cast<char>(byte))));
  const auto merge = [&](const std::string& left, const std::string& right) {
    spec.merges.push_back(to_byte_alphabet(left) + " " + to_byte_alphabet(right));
    spec.tokens.push_back(to_byte_alphabet(left + right));
  };
  merge("a", "b");
  merge("b", "c");
  merge("ab", "c");
  merge("l", "l");
  merge("\xE4", "\xBD");
  merge("\xE4\xBD", "\xA0");  // 你
  for (const char* special : {"<s>", "</s>", "<think>"}) {
    (special[1] == 't' ? spec.user_defined : spec.special)
        .push_back(static_cast<int32_t>(spec.tokens.size()));
    spec.tokens.emplace_back(special);
  }
  spec.pre = pre;
  return spec;
}

std::shared_ptr<const Tokenizer> must(Result<std::shared_ptr<const Tokenizer>> result) {
  EXPECT_TRUE(result) << result.error().message;
  return *result;
}

std::string random_bytes(Rng& rng, size_t length) {
  std::string out;
  for (size_t i = 0; i < length; ++i) out += static_cast<char>(rng.below(256));
  return out;
}

TEST(Tokenizer, MergesLowestRankFirst) {
  const auto tokenizer = must(Tokenizer::from_bpe(small_spec()));
  EXPECT_EQ(tokenizer->encode("abc", false), (std::vector<int32_t>{258}));
  EXPECT_EQ(tokenizer->encode("bcab", false), (std::vector<int32_t>{257, 256}));
  EXPECT_EQ(tokenizer->encode("lll", false), (std::vector<int32_t>{259, 'l'}));
  EXPECT_EQ(tokenizer->encode("你", false), (std::vector<int32_t>{261}));
}

TEST(Tokenizer, AnyBytesRoundTrip) {
  Rng rng(1);
  for (const char* pre : {"gpt-2", "qwen2", "llama-bpe"}) {
    const auto tokenizer = must(Tokenizer::from_bpe(small_spec(pre)));
    for (const size_t length : {0u, 1u, 2u, 7u, 100u, 5000u, 70000u}) {
      const std::string text = random_bytes(rng, length);
      EXPECT_EQ(tokenizer->decode(tokenizer->encode(text, false)), text);
    }
  }
}

TEST(Tokenizer, LongPiecesMergeLikeShortOnes) {
  // One piece of many letters goes through the heap; cut at a fixed point of the merges it must
  // agree with its short parts.
  const auto tokenizer = must(Tokenizer::from_bpe(small_spec()));
  std::string text;
  std::vector<int32_t> expected;
  Rng rng(2);
  for (int i = 0; i < 3000; ++i) {
    // After x nothing merges, so each part stands alone.
    std::string part;
    for (uint64_t n = rng.below(9); n > 0; --n) part += "abcl"[rng.below(4)];
    part += 'x';
    const auto ids = tokenizer->encode(part, false);
    expected.insert(expected.end(), ids.begin(), ids.end());
    text += part;
  }
  EXPECT_EQ(tokenizer->encode(text, false), expected);
}

TEST(Tokenizer, SpecialTokensMatchOnlyWhenAsked) {
  const auto tokenizer = must(Tokenizer::from_bpe(small_spec()));
  const int32_t s = tokenizer->special_id("<s>");
  const int32_t think = tokenizer->special_id("<think>");
  ASSERT_GE(s, 0);
  EXPECT_EQ(tokenizer->special_id("<nope>"), -1);
  const auto forged = tokenizer->encode("<s>ab", false);
  EXPECT_EQ(std::count(forged.begin(), forged.end(), s), 0);
  EXPECT_EQ(tokenizer->encode("<s>ab<think>", true), (std::vector<int32_t>{s, 256, think}));
  EXPECT_TRUE(tokenizer->is_special(s));
  EXPECT_FALSE(tokenizer->is_special(think));
  const std::vector<int32_t> ids = {s, 256, think, -1, 1 << 20};
  EXPECT_EQ(tokenizer->decode(ids), "ab<think>");
  EXPECT_EQ(tokenizer->decode(ids, true), "<s>ab<think>");
}

TEST(Tokenizer, RefusesWhatCannotBe) {
  const auto message = [](const BpeSpec& spec) {
    const auto result = Tokenizer::from_bpe(spec);
    return result ? std::string() : result.error().message;
  };
  BpeSpec spec = small_spec();
  spec.tokens.push_back(spec.tokens[256]);
  EXPECT_NE(message(spec).find("is there twice, as 256 and 265"), std::string::npos);
  spec = small_spec();
  spec.tokens[7].clear();
  EXPECT_EQ(message(spec), "tokenizer: byte 0x07 has no token");
  spec = small_spec();
  spec.merges.push_back("a zz");
  EXPECT_NE(message(spec).find("merge 6 'a zz'"), std::string::npos);
  for (const char* merge : {"", " ", "ab", "a ", " b"}) {
    spec = small_spec();
    spec.merges.emplace_back(merge);
    EXPECT_NE(message(spec), "") << merge;
  }
  spec = small_spec("bert");
  EXPECT_NE(message(spec).find("'bert'"), std::string::npos);
  spec = small_spec();
  spec.special.push_back(1 << 20);
  EXPECT_NE(message(spec), "");
  spec = small_spec();
  spec.eos = 10000;
  EXPECT_NE(message(spec), "");
  spec = small_spec();
  spec.tokens.emplace_back("你");  // not in the byte alphabet
  EXPECT_NE(message(spec), "");
}

TEST(Tokenizer, ThreadsShareOne) {
  const auto tokenizer = must(Tokenizer::from_bpe(small_spec()));
  std::string text;
  for (int i = 0; i < 3000; ++i) text += "abc 你ll <s> ";
  const auto expected = tokenizer->encode(text, true);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] { EXPECT_EQ(tokenizer->encode(text, true), expected); });
}

TEST(TokenizerJson, WritesWhatItReads) {
  for (const char* pre : {"gpt-2", "qwen2", "llama-bpe"}) {
    BpeSpec spec = small_spec(pre);
    spec.nfc = spec.pre == "qwen2";
    const auto tokenizer = must(Tokenizer::from_bpe(spec));
    const auto again = must(Tokenizer::from_json(tokenizer->to_json()));
    EXPECT_EQ(again->spec().tokens, spec.tokens);
    EXPECT_EQ(again->spec().merges, spec.merges);
    EXPECT_EQ(again->spec().special, spec.special);
    EXPECT_EQ(again->spec().user_defined, spec.user_defined);
    EXPECT_EQ(again->spec().pre, spec.pre);
    EXPECT_EQ(again->spec().nfc, spec.nfc);
  }
}

TEST(TokenizerJson, RefusesByName) {
  const Json good = Json::parse(must(Tokenizer::from_bpe(small_spec()))->to_json());
  const auto message = [&](const char* pointer, const Json& value) {
    Json changed = good;
    changed[Json::json_pointer(pointer)] = value;
    const auto result = Tokenizer::from_json(changed.dump());
    return result ? std::string("accepted") : result.error().message;
  };
  EXPECT_NE(message("/model/type", "Unigram").find("'Unigram'"), std::string::npos);
  EXPECT_NE(message("/model/dropout", 0.1).find("dropout"), std::string::npos);
  EXPECT_NE(message("/model/byte_fallback", true).find("byte_fallback"), std::string::npos);
  EXPECT_NE(message("/model/ignore_merges", true).find("ignore_merges"), std::string::npos);
  EXPECT_NE(message("/normalizer", {{"type", "Lowercase"}}).find("'Lowercase'"), std::string::npos);
  EXPECT_NE(message("/decoder", {{"type", "Metaspace"}}).find("'Metaspace'"), std::string::npos);
  EXPECT_NE(message("/pre_tokenizer", {{"type", "Metaspace"}}).find("'Metaspace'"),
            std::string::npos);
  EXPECT_NE(message("/pre_tokenizer/pretokenizers/0/pattern/Regex", "\\d").find("'\\d'"),
            std::string::npos);
  EXPECT_NE(message("/pre_tokenizer/pretokenizers/1/add_prefix_space", true).find("prefix"),
            std::string::npos);
  EXPECT_NE(message("/added_tokens/0/lstrip", true).find("lstrip"), std::string::npos);
  EXPECT_NE(message("/added_tokens/0/id", -4).find("-4"), std::string::npos);
  EXPECT_NE(message("/model/vocab/ab", "x").find("'ab'"), std::string::npos);
  EXPECT_NE(message("/model/merges/0", 3).find("merge 0"), std::string::npos);
  EXPECT_FALSE(Tokenizer::from_json(""));
  EXPECT_FALSE(Tokenizer::from_json("[1]"));
}

// tests/golden/tokenizer/make.py writes these files with the Hugging Face library.
class TokenizerGolden : public testing::TestWithParam<const char*> {};

TEST_P(TokenizerGolden, AgreesWithHuggingFace) {
  const Path folder = Path(PLINTH_SOURCE_DIR) / "tests/golden/tokenizer";
  const auto file = read_file(folder / (std::string(GetParam()) + ".json"));
  const auto rows_file = read_file(folder / (std::string(GetParam()) + ".encodings.json"));
  ASSERT_TRUE(file && rows_file);
  const auto tokenizer = must(Tokenizer::from_json(*file));
  const auto again = must(Tokenizer::from_json(tokenizer->to_json()));
  EXPECT_EQ(tokenizer->spec().pre, GetParam());
  const auto rows = parse_json(*rows_file, "encodings");
  ASSERT_TRUE(rows);
  ASSERT_GT(rows->size(), 80u);
  for (const Json& row : *rows) {
    const auto text = row["text"].get<std::string>();
    const auto ids = row["ids"].get<std::vector<int32_t>>();
    EXPECT_EQ(tokenizer->encode(text, true), ids) << text;
    EXPECT_EQ(again->encode(text, true), ids) << text;
    EXPECT_EQ(tokenizer->decode(ids), row["decoded"].get<std::string>()) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(All, TokenizerGolden, testing::Values("gpt-2", "qwen2", "llama-bpe"));

// The llama.cpp vocabulary vectors: texts between marker lines, one line of ids each.
struct Vectors {
  std::vector<std::string> texts;
  std::vector<std::vector<int32_t>> ids;
};

Vectors read_vectors(const std::string& name) {
  const std::string in =
      shared_text("tokenizers/llama.cpp-vocab-tests/ggml-vocab-" + name + ".gguf.inp");
  const std::string out =
      shared_text("tokenizers/llama.cpp-vocab-tests/ggml-vocab-" + name + ".gguf.out");
  Vectors vectors;
  constexpr std::string_view kMark = "\n__ggml_vocab_test__\n";
  for (size_t at = 0; at < in.size();) {
    size_t end = in.find(kMark, at);
    if (end == in.npos) end = in.size();
    vectors.texts.push_back(in.substr(at, end - at));
    at = end + kMark.size();
  }
  std::istringstream lines(out);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream numbers(line);
    auto& row = vectors.ids.emplace_back();
    for (int32_t id = 0; numbers >> id;) row.push_back(id);
  }
  return vectors;
}

void expect_vectors(const Tokenizer& tokenizer, const std::string& name) {
  const Vectors vectors = read_vectors(name);
  ASSERT_GE(vectors.texts.size(), 40u);
  ASSERT_GE(vectors.ids.size(), vectors.texts.size());
  for (size_t i = 0; i < vectors.texts.size(); ++i) {
    const auto ids = tokenizer.encode(vectors.texts[i], false);
    EXPECT_EQ(ids, vectors.ids[i]) << name << " " << i << " '" << vectors.texts[i] << "'";
    EXPECT_EQ(tokenizer.decode(ids), vectors.texts[i]);
  }
}

BpeSpec qwen2_spec(const std::string& vocabulary, const std::string& merges) {
  BpeSpec spec;
  const Json ids = Json::parse(vocabulary);
  spec.tokens.resize(ids.size());
  for (const auto& [token, id] : ids.items()) spec.tokens[id.get<size_t>()] = token;
  std::istringstream lines(merges);
  for (std::string line; std::getline(lines, line);)
    if (!line.empty() && !line.starts_with("#version")) spec.merges.push_back(line);
  for (const char* special : {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}) {
    spec.special.push_back(static_cast<int32_t>(spec.tokens.size()));
    spec.tokens.emplace_back(special);
  }
  return spec;
}

TEST(TokenizerVectors, Qwen2) {
  const std::string vocabulary = shared_text("tokenizers/qwen2/vocab.json.zst");
  const std::string merges = shared_text("tokenizers/qwen2/merges.txt.zst");
  PLINTH_SKIP_WITHOUT(vocabulary, "tokenizers/qwen2/vocab.json.zst");
  const auto tokenizer = must(Tokenizer::from_bpe(qwen2_spec(vocabulary, merges)));
  expect_vectors(*tokenizer, "qwen2");
  EXPECT_EQ(tokenizer->special_id("<|im_end|>"), 151645);
}

TEST(TokenizerVectors, MiniMindRoundTrips) {
  const std::string json = shared_text("tokenizers/minimind/tokenizer.json");
  PLINTH_SKIP_WITHOUT(json, "tokenizers/minimind/tokenizer.json");
  const auto tokenizer = must(Tokenizer::from_json(json));
  EXPECT_EQ(tokenizer->size(), 6400);
  const std::string text = "<|im_start|>user\n合同的定义是什么？<|im_end|>\n<think>\n";
  const auto ids = tokenizer->encode(text, true);
  EXPECT_EQ(ids.front(), 1);
  EXPECT_EQ(tokenizer->decode(ids, true), text);
  EXPECT_EQ(tokenizer->decode(ids), "user\n合同的定义是什么？\n<think>\n");
}

TEST(StreamDecoder, HoldsBackUnfinishedCharacters) {
  const auto tokenizer = must(Tokenizer::from_bpe(small_spec()));
  StreamDecoder stream(*tokenizer);
  EXPECT_EQ(stream.push(0xE4), "");
  EXPECT_EQ(stream.push(0xBD), "");
  EXPECT_EQ(stream.push(0xA0), "你");
  EXPECT_EQ(stream.push('a'), "a");
  EXPECT_EQ(stream.push(0xF0), "");
  EXPECT_EQ(stream.push('b'),
            "\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(stream.push(0xE4), "");
  EXPECT_EQ(stream.finish(), "\xEF\xBF\xBD");
  EXPECT_EQ(stream.finish(), "");
}

TEST(StreamDecoder, StreamedEqualsWhole) {
  const auto tokenizer = must(Tokenizer::from_bpe(small_spec()));
  const std::string text = "你好，世界 🦙 abc <think>\n";
  StreamDecoder stream(*tokenizer);
  std::string streamed;
  for (const int32_t id : tokenizer->encode(text, true)) streamed += stream.push(id);
  EXPECT_EQ(streamed + stream.finish(), text);
}

}  // namespace
}  // namespace plinth::text
