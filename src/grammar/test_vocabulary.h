// A tokenizer with real merges for tests, and texts read against a grammar byte by byte.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "grammar/grammar.h"
#include "text/tokenizer.h"

namespace plinth::grammar {

// Some 600 tokens, many of which cross the borders of JSON's parts (`":`, `},{"`), hold several
// Chinese characters or end within one.
inline std::shared_ptr<const text::Tokenizer> test_tokenizer() {
  static const auto tokenizer = [] {
    const std::vector<std::string_view> texts = {
        R"({"name": "电梯维护", "price": 12.50, "tags": ["a", "b"], "sold": true, "note": null})",
        R"({"name":"合同","items":[{"id":1,"count":20},{"id":2,"count":-3}],"date":"2024-01-31"})",
        "{\n  \"name\": \"x\\\"y\\\\\",\n  \"list\": [\n    [[1, 2], [3]],\n    {}\n  ]\n}",
        R"([{"a":[]},{"b":{}},{"c":""},"\u4f60\n",1e10,-0.5])",
        "电梯 电梯维护 合同 合同条款 🙂🙂"};
    std::vector<std::string_view> often;
    for (int i = 0; i < 8; ++i) often.insert(often.end(), texts.begin(), texts.end());
    auto spec =
        text::train_bpe(often, {.vocabulary = 600, .special = {"<|endoftext|>", "<|im_end|>"}});
    PLINTH_CHECK(spec.has_value(), "train_bpe: {}", spec.error().message);
    auto made = text::Tokenizer::from_spec(*std::move(spec));
    PLINTH_CHECK(made.has_value(), "from_spec");
    return *made;
  }();
  return tokenizer;
}

inline std::shared_ptr<const Vocabulary> test_vocabulary() {
  static const auto vocabulary = Vocabulary::create(*test_tokenizer());
  return vocabulary;
}

inline int32_t byte_token(char byte) {
  static const auto tokens = [] {
    std::array<int32_t, 256> ids{};
    for (int32_t id = 0; id < test_vocabulary()->size(); ++id)
      if (const auto bytes = test_vocabulary()->bytes(id); bytes.size() == 1)
        ids[static_cast<uint8_t>(bytes[0])] = id;
    return ids;
  }();
  return tokens[static_cast<uint8_t>(byte)];
}

inline bool allows(std::span<const uint64_t> mask, int32_t token) {
  return (mask[static_cast<size_t>(token) / 64] >> (token % 64) & 1) != 0;
}

// Whether the whole text is one of the grammar.
inline bool fits(const std::shared_ptr<const Grammar>& grammar, std::string_view text) {
  auto matcher = Matcher::create(grammar, test_vocabulary());
  PLINTH_CHECK(matcher.has_value(), "{}", matcher.error().message);
  for (const char byte : text)
    if (!matcher->accept(byte_token(byte))) return false;
  return matcher->can_end();
}

}  // namespace plinth::grammar
