// Pre-tokenizers: cut text into pieces that BPE merges never cross.
//
// Each is a published regular expression, walked here by hand: several times faster than a regex
// engine, and defined for broken UTF-8, whose bytes count as symbols. The test compares every rule
// with ICU's regex engine on random text.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace plinth::text {

enum class PreTokenizer {
  // 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
  kGpt2,
  // (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|
  // \s*[\r\n]+|\s+(?!\S)|\s+
  kQwen2,
  // As kQwen2 with \p{N}{1,3}.
  kLlamaBpe,
  // \p{N}: each digit alone, and what stands between digits.
  kDigit,
};

// By GGUF's tokenizer.ggml.pre name: "gpt-2", "qwen2", "llama-bpe"; the digits have none.
std::optional<PreTokenizer> pre_tokenizer_named(std::string_view name);
std::string_view pre_tokenizer_name(PreTokenizer pre);

// By the regular expression of a tokenizer.json's Split, and back.
std::optional<PreTokenizer> pre_tokenizer_of_regex(std::string_view regex);
std::string_view pre_tokenizer_regex(PreTokenizer pre);

// Where the piece that starts at text[at] ends (always beyond `at`); at < text.size().
size_t piece_end(PreTokenizer pre, std::string_view text, size_t at);

}  // namespace plinth::text
