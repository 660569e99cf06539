// A spec as tokenizer.json. What SentencePiece knows and this file has no words for (unused pieces,
// user-defined symbols after normalisation, spaces behind words) is not written.
#include "core/json.h"
#include "text/base64.h"
#include "text/named_splits.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer_json.h"

namespace plinth::text {

namespace {

const std::string kMark(kSpaceMark);

Json byte_level(bool use_regex, bool prefix) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", prefix},
          {"trim_offsets", false},
          {"use_regex", use_regex}};
}

Json replace(const char* kind, const std::string& pattern, const std::string& content) {
  return {{"type", "Replace"}, {"pattern", {{kind, pattern}}}, {"content", content}};
}

bool is_metaspace(const TokenizerSpec& spec) {
  return spec.words || spec.prefix == SpacePrefix::kFirst ||
         spec.prefix == SpacePrefix::kUnlessThere;
}

Json metaspace(const TokenizerSpec& spec) {
  const char* scheme = spec.prefix == SpacePrefix::kFirst         ? "first"
                       : spec.prefix == SpacePrefix::kUnlessThere ? "always"
                                                                  : "never";
  return {{"type", "Metaspace"},
          {"replacement", kMark},
          {"prepend_scheme", scheme},
          {"split", spec.words}};
}

Json normalizer_json(const TokenizerSpec& spec) {
  Json steps = Json::array();
  if (spec.nfc) steps.push_back({{"type", "NFC"}});
  if (!spec.charsmap.empty())
    steps.push_back({{"type", "Precompiled"}, {"precompiled_charsmap", to_base64(spec.charsmap)}});
  if (spec.trim_spaces) {
    steps.push_back({{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}});
    steps.push_back(replace("Regex", " {2,}", " "));
  }
  const bool byte_level_bpe = spec.algorithm == Algorithm::kByteBpe;
  if (!byte_level_bpe && spec.prefix == SpacePrefix::kAlways)
    steps.push_back({{"type", "Prepend"}, {"prepend", kMark}});
  if (spec.escape_spaces && !is_metaspace(spec)) steps.push_back(replace("String", " ", kMark));
  if (steps.empty()) return nullptr;
  if (steps.size() == 1) return steps[0];
  return {{"type", "Sequence"}, {"normalizers", steps}};
}

Json pre_tokenizer_json(const TokenizerSpec& spec) {
  if (spec.algorithm != Algorithm::kByteBpe) return is_metaspace(spec) ? metaspace(spec) : Json();
  auto regexes = spec.splits;
  if (!spec.pre.empty()) regexes = splits_named(spec.pre).value_or(NamedSplits{}).regexes;
  const bool prefix = spec.prefix != SpacePrefix::kNone;
  if (regexes.size() == 1 && regexes[0] == pre_tokenizer_regex(PreTokenizer::kGpt2))
    return byte_level(true, prefix);
  Json steps = Json::array();
  for (const std::string& regex : regexes)
    steps.push_back({{"type", "Split"},
                     {"pattern", {{"Regex", regex}}},
                     {"behavior", "Isolated"},
                     {"invert", false}});
  steps.push_back(byte_level(false, prefix));
  return {{"type", "Sequence"}, {"pretokenizers", steps}};
}

Json decoder_json(const TokenizerSpec& spec) {
  if (spec.algorithm == Algorithm::kByteBpe) return byte_level(true, false);
  Json steps = Json::array();
  if (spec.escape_spaces) steps.push_back(replace("String", kMark, " "));
  if (spec.byte_fallback) steps.push_back({{"type", "ByteFallback"}});
  steps.push_back({{"type", "Fuse"}});
  if (spec.drop_first_space)
    steps.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return {{"type", "Sequence"}, {"decoders", steps}};
}

Json post_processor_json(const TokenizerSpec& spec) {
  if (spec.before.empty() && spec.after.empty()) return nullptr;
  Json single = Json::array(), tokens = Json::object();
  const auto put = [&](const std::vector<int32_t>& ids) {
    for (const int32_t id : ids) {
      const std::string& text = spec.tokens[static_cast<size_t>(id)];
      single.push_back({{"SpecialToken", {{"id", text}, {"type_id", 0}}}});
      tokens[text] = {{"id", text}, {"ids", {id}}, {"tokens", {text}}};
    }
  };
  put(spec.before);
  single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  put(spec.after);
  Json pair = single;
  pair.push_back({{"Sequence", {{"id", "B"}, {"type_id", 1}}}});
  return {{"type", "TemplateProcessing"},
          {"single", single},
          {"pair", pair},
          {"special_tokens", tokens}};
}

Json added_json(const TokenizerSpec& spec) {
  std::vector<char> special(spec.tokens.size(), 0), literal(spec.tokens.size(), 0);
  for (const int32_t id : spec.special) special[static_cast<size_t>(id)] = 1;
  for (const auto* list : {&spec.special, &spec.user_defined})
    for (const int32_t id : *list) literal[static_cast<size_t>(id)] = 1;
  std::vector<Matching> rules(spec.tokens.size());
  for (const Matching& rule : spec.matching)
    if (rule.id >= 0 && static_cast<size_t>(rule.id) < rules.size())
      rules[static_cast<size_t>(rule.id)] = rule;
  Json added = Json::array();
  for (size_t id = 0; id < spec.tokens.size(); ++id) {
    if (literal[id] == 0) continue;
    added.push_back({{"id", id},
                     {"content", spec.tokens[id]},
                     {"single_word", rules[id].word},
                     {"lstrip", rules[id].left},
                     {"rstrip", rules[id].right},
                     {"normalized", rules[id].normalized},
                     {"special", special[id] != 0}});
  }
  return added;
}

Json unigram_json(const TokenizerSpec& spec) {
  Json vocabulary = Json::array();
  for (size_t id = 0; id < spec.tokens.size(); ++id)
    vocabulary.push_back({spec.tokens[id], spec.scores[id]});
  return {{"type", "Unigram"},
          {"unk_id", spec.unknown >= 0 ? Json(spec.unknown) : Json()},
          {"vocab", std::move(vocabulary)},
          {"byte_fallback", spec.byte_fallback}};
}

Json bpe_json(const TokenizerSpec& spec, const std::vector<std::string>& merges) {
  std::vector<char> literal(spec.tokens.size(), 0);
  for (const auto* list : {&spec.special, &spec.user_defined})
    for (const int32_t id : *list) literal[static_cast<size_t>(id)] = 1;
  Json vocabulary = Json::object();
  for (size_t id = 0; id < spec.tokens.size(); ++id)
    if (!spec.tokens[id].empty() && literal[id] == 0) vocabulary[spec.tokens[id]] = id;
  // The unknown token is looked for in the vocabulary.
  Json unknown;
  if (spec.unknown >= 0) {
    unknown = spec.tokens[static_cast<size_t>(spec.unknown)];
    vocabulary[unknown.get<std::string>()] = spec.unknown;
  }
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", unknown},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", spec.fuse_unknown},
          {"byte_fallback", spec.byte_fallback},
          {"ignore_merges", spec.ignore_merges},
          {"vocab", std::move(vocabulary)},
          {"merges", merges}};
}

}  // namespace

std::string write_tokenizer_json(const TokenizerSpec& spec,
                                 const std::vector<std::string>& merges) {
  const bool unigram = spec.algorithm == Algorithm::kUnigram;
  const Json root = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", added_json(spec)},
                     {"normalizer", normalizer_json(spec)},
                     {"pre_tokenizer", pre_tokenizer_json(spec)},
                     {"post_processor", post_processor_json(spec)},
                     {"decoder", decoder_json(spec)},
                     {"model", unigram ? unigram_json(spec) : bpe_json(spec, merges)}};
  return to_text(root);
}

}  // namespace plinth::text
