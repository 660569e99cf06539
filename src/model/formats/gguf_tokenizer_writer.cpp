// A tokenizer as the keys of a GGUF file.
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/formats/gguf_format.h"
#include "model/formats/tokenizer_files.h"
#include "text/spec_options.h"

namespace plinth::model {
namespace {

std::string_view vocabulary_kind(text::Algorithm algorithm) {
  switch (algorithm) {
    case text::Algorithm::kByteBpe:
      return "gpt2";
    case text::Algorithm::kBpe:
      return "llama";
    case text::Algorithm::kUnigram:
      return "t5";
  }
  return {};
}

// Readers of "llama" vocabularies want scores: where merges decide, those in their order.
std::vector<float> scores_of(const text::TokenizerSpec& spec, size_t tokens) {
  auto scores = spec.scores;
  scores.resize(tokens);
  if (!spec.scores.empty()) return scores;
  std::map<std::string, float> by_token;
  for (size_t rank = 0; rank < spec.merges.size(); ++rank) {
    std::string token = spec.merges[rank];
    if (const size_t space = token.find(' '); space != token.npos) token.erase(space, 1);
    by_token.emplace(std::move(token), -static_cast<float>(rank));
  }
  for (size_t id = 0; id < spec.tokens.size(); ++id) {
    const auto hit = by_token.find(spec.tokens[id]);
    scores[id] = hit != by_token.end() ? hit->second : -static_cast<float>(spec.merges.size());
  }
  return scores;
}

// The token list, padded to one entry for each row of the embedding, and what each is for. Readers
// take the vocabulary from this list.
void put_tokens(const text::TokenizerSpec& spec, int64_t vocabulary, GgufHeader& out) {
  auto tokens = spec.tokens;
  tokens.resize(static_cast<size_t>(vocabulary));
  std::vector<int32_t> types(tokens.size(), static_cast<int32_t>(GgufTokenType::kNormal));
  const auto mark = [&types](const std::vector<int32_t>& ids, GgufTokenType type) {
    for (const int32_t id : ids) types[static_cast<size_t>(id)] = static_cast<int32_t>(type);
  };
  for (size_t id = 0; id < tokens.size(); ++id) {
    const std::string& token = tokens[id];
    if (spec.byte_fallback && token.size() == 6 && token.starts_with("<0x") && token.back() == '>')
      types[id] = static_cast<int32_t>(GgufTokenType::kByte);
  }
  if (spec.unknown >= 0) mark({spec.unknown}, GgufTokenType::kUnknown);
  mark(spec.special, GgufTokenType::kControl);
  mark(spec.user_defined, GgufTokenType::kUserDefined);
  mark(spec.unused, GgufTokenType::kUnused);
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (!tokens[id].empty()) continue;
    tokens[id] = fmt::format("[PAD{}]", id);
    types[id] = static_cast<int32_t>(GgufTokenType::kUnused);
  }
  out.texts("tokenizer.ggml.tokens", tokens);
  out.i32s("tokenizer.ggml.token_type", types);
}

}  // namespace

void put_gguf_tokenizer(const text::TokenizerSpec& spec, int64_t vocabulary, GgufHeader& out) {
  const bool byte_level = spec.algorithm == text::Algorithm::kByteBpe;
  out.text("tokenizer.ggml.model", vocabulary_kind(spec.algorithm));
  out.text("tokenizer.ggml.pre", spec.pre.empty() ? "default" : spec.pre);
  put_tokens(spec, vocabulary, out);
  if (byte_level || !spec.merges.empty()) out.texts("tokenizer.ggml.merges", spec.merges);
  if (!byte_level) {
    out.f32s("tokenizer.ggml.scores", scores_of(spec, static_cast<size_t>(vocabulary)));
    out.flag("tokenizer.ggml.add_space_prefix", spec.prefix != text::SpacePrefix::kNone);
    out.flag("tokenizer.ggml.remove_extra_whitespaces", spec.trim_spaces);
    if (!spec.charsmap.empty()) out.u8s("tokenizer.ggml.precompiled_charsmap", spec.charsmap);
    if (spec.unknown >= 0) out.u32("tokenizer.ggml.unknown_token_id", spec.unknown);
  }
  if (spec.bos >= 0) out.u32("tokenizer.ggml.bos_token_id", spec.bos);
  if (spec.eos >= 0) out.u32("tokenizer.ggml.eos_token_id", spec.eos);
  if (spec.pad >= 0) out.u32("tokenizer.ggml.padding_token_id", spec.pad);
  out.flag(kGgufNfcKey, spec.nfc);
  out.text(kGgufTokenizerKey, text::write_spec_options(spec));
  out.flag("tokenizer.ggml.add_bos_token", !spec.before.empty());
  out.flag("tokenizer.ggml.add_eos_token", !spec.after.empty());
}

}  // namespace plinth::model
