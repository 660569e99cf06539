// The published ways to split text before BPE, by the names that GGUF's tokenizer.ggml.pre has for
// them. Source of names and of what belongs to them: src/llama-vocab.cpp of ggml-org/llama.cpp; the
// regular expressions are those of the models' own tokenizer.json.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace plinth::text {

struct NamedSplits {
  std::vector<std::string> regexes;  // applied one after the other, each to the pieces of the last
  bool ignore_merges = false;        // what GGUF readers take for granted under this name
  bool add_bos = false;              // likewise, where tokenizer.ggml.add_bos_token is silent
};

std::optional<NamedSplits> splits_named(std::string_view name);

// The first name for exactly this behaviour; nothing when it has none.
std::optional<std::string> name_of_splits(std::span<const std::string> regexes, bool ignore_merges);

// All names, for messages.
std::string split_names();

}  // namespace plinth::text
