// Published vocabularies against published vectors; skips what the shared data does not have.
#include <sstream>

#include <gtest/gtest.h>

#include "core/json.h"
#include "text/base64.h"
#include "text/byte_alphabet.h"
#include "text/vectors_test.h"

namespace plinth::text {
namespace {

std::shared_ptr<const Tokenizer> must(Result<std::shared_ptr<const Tokenizer>> result) {
  EXPECT_TRUE(result) << result.error().message;
  return *result;
}

TokenizerSpec qwen2_spec(const std::string& vocabulary, const std::string& merges) {
  TokenizerSpec spec;
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

// A tiktoken rank file: each line a token in base64 and its rank, which is its id. Two neighbours
// merge when their text is a token, the lowest rank first.
TokenizerSpec tiktoken_spec(const std::string& file, const std::string& pre) {
  TokenizerSpec spec;
  spec.pre = pre;
  spec.ignore_merges = true;
  std::unordered_map<std::string, size_t> ids;
  std::vector<std::string> texts;
  std::istringstream lines(file);
  std::string token;
  for (size_t id = 0; lines >> token >> id;) {
    texts.resize(std::max(texts.size(), id + 1));
    texts[id] = from_base64(token).value_or("");
    ids.emplace(texts[id], id);
  }
  for (const std::string& text : texts) {
    spec.tokens.push_back(to_byte_alphabet(text));
    for (size_t cut = 1; cut < text.size(); ++cut) {
      if (!ids.contains(text.substr(0, cut)) || !ids.contains(text.substr(cut))) continue;
      spec.merges.push_back(to_byte_alphabet(text.substr(0, cut)) + " " +
                            to_byte_alphabet(text.substr(cut)));
    }
  }
  return spec;
}

TEST(TokenizerVectors, Qwen2) {
  const std::string vocabulary = shared_text("tokenizers/qwen2/vocab.json.zst");
  const std::string merges = shared_text("tokenizers/qwen2/merges.txt.zst");
  PLINTH_SKIP_WITHOUT(vocabulary, "tokenizers/qwen2/vocab.json.zst");
  const auto tokenizer = must(Tokenizer::from_spec(qwen2_spec(vocabulary, merges)));
  expect_vectors(*tokenizer, "qwen2");
  EXPECT_EQ(tokenizer->special_id("<|im_end|>"), 151645);
}

TEST(TokenizerVectors, Llama3FromTiktoken) {
  const std::string file = shared_text("tokenizers/tiktoken/meta-llama-3-8B.tiktoken.zst");
  PLINTH_SKIP_WITHOUT(file, "tokenizers/tiktoken/meta-llama-3-8B.tiktoken.zst");
  expect_vectors(*must(Tokenizer::from_spec(tiktoken_spec(file, "llama-bpe"))), "llama-bpe");
}

TEST(TokenizerVectors, Gpt2FromTiktoken) {
  const std::string file = shared_text("tokenizers/tiktoken/gpt2.tiktoken");
  PLINTH_SKIP_WITHOUT(file, "tokenizers/tiktoken/gpt2.tiktoken");
  const auto tokenizer = must(Tokenizer::from_spec(tiktoken_spec(file, "gpt-2")));
  expect_vectors(*tokenizer, "gpt-2");
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

TEST(TokenizerVectors, NanoZhGptRoundTrips) {
  const std::string json = shared_text("tokenizers/nanozhgpt/tokenizer.json.zst");
  PLINTH_SKIP_WITHOUT(json, "tokenizers/nanozhgpt/tokenizer.json.zst");
  const auto tokenizer = must(Tokenizer::from_json(json));
  EXPECT_EQ(tokenizer->size(), 50000);
  const std::string text = "春眠不觉晓，it's 2026 \xFF🦙\n";
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(text, false)), text);
}

// The five vectors of llama2.c's test.c.
TEST(TokenizerVectors, Llama2WithBos) {
  const std::string model = shared_text("tokenizers/llama2/tokenizer.model");
  const std::string rows = shared_text("tokenizers/llama2/test_vectors.json");
  PLINTH_SKIP_WITHOUT(model, "tokenizers/llama2/tokenizer.model");
  const auto tokenizer = must(Tokenizer::from_sentencepiece(model));
  TokenizerSpec spec = tokenizer->spec();
  spec.before = {spec.bos};
  const auto with_bos = must(Tokenizer::from_spec(spec));
  const Json vectors = Json::parse(rows);
  ASSERT_EQ(vectors.size(), 5u);
  for (const Json& row : vectors)
    EXPECT_EQ(with_bos->encode_whole(row["text"].get<std::string>(), false),
              row["ids_with_bos"].get<std::vector<int32_t>>());
  // Its tokenizer.json, too, says the same.
  const auto again = must(Tokenizer::from_json(with_bos->to_json()));
  for (const Json& row : vectors)
    EXPECT_EQ(again->encode_whole(row["text"].get<std::string>(), false),
              row["ids_with_bos"].get<std::vector<int32_t>>());
}

}  // namespace
}  // namespace plinth::text
