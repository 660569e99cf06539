#include <algorithm>
#include <initializer_list>
#include <iterator>

#include "core/json.h"
#include "text/base64.h"
#include "text/named_splits.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer.h"

namespace plinth::text {

namespace {

// Far beyond any published vocabulary; bounds what a hostile id may allocate.
constexpr int64_t kIdMax = 1 << 22;

template <typename... Args>
Error refused(fmt::format_string<Args...> format, Args&&... args) {
  return make_error(Code::kUnimplemented, "tokenizer.json: {}",
                    fmt::format(format, std::forward<Args>(args)...));
}

const Json& member(const Json& object, const char* key) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const auto it = object.find(key);
  return it == object.end() ? kNull : *it;
}

// A model option that must be absent, null, false, zero or "".
Status refuse_option(const Json& object, const char* key) {
  const Json& value = member(object, key);
  const bool off = value.is_null() || value == false || value == "" || value == 0.0;
  if (!off) return refused("{} {} is not supported", key, to_text(value));
  return {};
}

std::string type_of(const Json& object) {
  return string_or(object, "type", "");
}

bool is_mark(const Json& object, const char* key) {
  return string_or(object, key, "") == kSpaceMark;
}

// The steps of a Sequence, or the one step there is; none for null.
Result<std::vector<Json>> steps_of(const Json& value, const char* list) {
  if (value.is_null()) return std::vector<Json>();
  if (type_of(value) != "Sequence") return std::vector<Json>{value};
  const Json& steps = member(value, list);
  if (!steps.is_array()) return invalid("tokenizer.json: a Sequence without {}", list);
  std::vector<Json> out;
  for (const Json& step : steps) {
    PLINTH_TRY(auto inner, steps_of(step, list));
    std::move(inner.begin(), inner.end(), std::back_inserter(out));
  }
  return out;
}

// Replace of one string by another; nothing for other patterns.
struct Replacement {
  std::string from;
  std::string to;
};

Replacement replacement_of(const Json& step) {
  return {string_or(member(step, "pattern"), "String", ""), string_or(step, "content", "")};
}

Status read_normalizer(const Json& normalizer, TokenizerSpec& spec) {
  PLINTH_TRY(const auto steps, steps_of(normalizer, "normalizers"));
  for (const Json& step : steps) {
    const std::string type = type_of(step);
    const Replacement pair = replacement_of(step);
    const std::string regex = string_or(member(step, "pattern"), "Regex", "");
    if (type == "NFC") {
      spec.nfc = true;
    } else if (type == "Prepend" && is_mark(step, "prepend")) {
      spec.prefix = SpacePrefix::kAlways;
    } else if (type == "Replace" && pair.from == " " && pair.to == kSpaceMark) {
      spec.escape_spaces = true;
    } else if (type == "Strip" || (type == "Replace" && regex == " {2,}")) {
      spec.trim_spaces = true;
    } else if (type == "Precompiled") {
      auto map = from_base64(string_or(step, "precompiled_charsmap", ""));
      if (!map) return invalid("tokenizer.json: precompiled_charsmap is not base64");
      spec.charsmap = *std::move(map);
    } else {
      return refused("normalizer '{}' is not supported: {}", type, to_text(step));
    }
  }
  return {};
}

// A string as a regular expression that matches just it.
std::string literal_regex(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view(R"(\^$.|?*+()[]{})").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

Result<std::string> read_split(const Json& split) {
  const Json& pattern = member(split, "pattern");
  const std::string text = string_or(pattern, "String", "");
  const std::string regex = text.empty() ? string_or(pattern, "Regex", "") : literal_regex(text);
  if (regex.empty()) return refused("Split {} is not supported", to_text(split));
  const std::string behavior = string_or(split, "behavior", "");
  const bool invert = bool_or(split, "invert", false);
  // Keeping only what matches is the same where everything matches.
  const bool all = pre_tokenizer_of_regex(regex).has_value() && behavior == "Removed" && invert;
  if (!all && (behavior != "Isolated" || invert))
    return refused("Split other than Isolated is not supported: '{}'", behavior);
  return regex;
}

// Split and Digits in any number, then ByteLevel, which may bring GPT-2's expression.
Status read_byte_level(const Json& pre, TokenizerSpec& spec) {
  PLINTH_TRY(const auto steps, steps_of(pre, "pretokenizers"));
  std::vector<std::string> regexes;
  for (size_t i = 0; i < steps.size(); ++i) {
    const Json& step = steps[i];
    const std::string type = type_of(step);
    if (type == "Split") {
      PLINTH_TRY(auto regex, read_split(step));
      regexes.push_back(std::move(regex));
    } else if (type == "Digits") {
      regexes.emplace_back(bool_or(step, "individual_digits", false) ? R"(\p{N})" : R"(\p{N}+)");
    } else if (type == "ByteLevel" && i + 1 == steps.size()) {
      if (bool_or(step, "use_regex", true))
        regexes.emplace_back(pre_tokenizer_regex(PreTokenizer::kGpt2));
      if (bool_or(step, "add_prefix_space", true)) {
        if (i > 0) return refused("ByteLevel with add_prefix_space after another split");
        spec.prefix = SpacePrefix::kUnlessThere;
      }
    } else {
      return refused("pre_tokenizer '{}' is not supported", type);
    }
  }
  const auto name = name_of_splits(regexes, spec.ignore_merges);
  spec.pre = name.value_or("");
  if (!name) spec.splits = std::move(regexes);
  return {};
}

// SentencePiece's way with spaces.
Status read_metaspace(const Json& pre, TokenizerSpec& spec) {
  PLINTH_TRY(const auto steps, steps_of(pre, "pretokenizers"));
  spec.pre.clear();
  for (const Json& step : steps) {
    if (type_of(step) != "Metaspace" || !is_mark(step, "replacement"))
      return refused("pre_tokenizer '{}' is not supported", type_of(step));
    spec.escape_spaces = true;
    spec.words = bool_or(step, "split", true);
    const std::string scheme = string_or(
        step, "prepend_scheme", bool_or(step, "add_prefix_space", true) ? "always" : "never");
    if (scheme == "first")
      spec.prefix = SpacePrefix::kFirst;
    else if (scheme == "always")
      spec.prefix = SpacePrefix::kUnlessThere;
    else if (scheme != "never")
      return refused("Metaspace with the prepend_scheme '{}'", scheme);
  }
  return {};
}

Status read_decoder(const Json& decoder, TokenizerSpec& spec) {
  PLINTH_TRY(const auto steps, steps_of(decoder, "decoders"));
  const bool byte_level = spec.algorithm == Algorithm::kByteBpe;
  if (steps.empty() && !byte_level) return refused("a model without a decoder is not supported");
  for (const Json& step : steps) {
    const std::string type = type_of(step);
    const Replacement pair = replacement_of(step);
    if (byte_level ? type == "ByteLevel" : type == "ByteFallback" || type == "Fuse") continue;
    if (!byte_level && type == "Replace" && pair.from == kSpaceMark && pair.to == " ") continue;
    if (!byte_level && type == "Metaspace" && is_mark(step, "replacement")) {
      spec.drop_first_space = string_or(step, "prepend_scheme", "always") != "never" &&
                              bool_or(step, "add_prefix_space", true);
    } else if (!byte_level && type == "Strip" && string_or(step, "content", "") == " " &&
               int_or(step, "start", 0) <= 1 && int_or(step, "stop", 0) == 0) {
      spec.drop_first_space = int_or(step, "start", 0) == 1;
    } else {
      return refused("decoder '{}' is not supported: {}", type, to_text(step));
    }
  }
  return {};
}

// The ids around a text: TemplateProcessing's `single`.
Status read_post_processor(const Json& processor, TokenizerSpec& spec) {
  PLINTH_TRY(const auto steps, steps_of(processor, "processors"));
  for (const Json& step : steps) {
    const std::string type = type_of(step);
    if (type == "ByteLevel") continue;
    if (type != "TemplateProcessing") return refused("post_processor '{}' is not supported", type);
    const Json& single = member(step, "single");
    if (!single.is_array()) return invalid("tokenizer.json: TemplateProcessing without 'single'");
    bool after = false;
    for (const Json& part : single) {
      if (!member(part, "Sequence").is_null()) {
        after = true;
        continue;
      }
      const std::string name = string_or(member(part, "SpecialToken"), "id", "");
      const Json& ids = member(member(member(step, "special_tokens"), name.c_str()), "ids");
      if (!ids.is_array())
        return invalid("tokenizer.json: TemplateProcessing names '{}' without ids", name);
      for (const Json& id : ids) {
        if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() > kIdMax)
          return invalid("tokenizer.json: TemplateProcessing has the id {}", to_text(id));
        (after ? spec.after : spec.before).push_back(id.get<int32_t>());
      }
    }
  }
  return {};
}

Status put_token(TokenizerSpec& spec, int64_t id, const std::string& text, const char* where) {
  if (id < 0 || id > kIdMax)
    return invalid("tokenizer.json: {} '{}' has the id {}, outside 0..{}", where, text, id, kIdMax);
  const auto at = static_cast<size_t>(id);
  if (at >= spec.tokens.size()) spec.tokens.resize(at + 1);
  if (!spec.tokens[at].empty() && spec.tokens[at] != text) {
    return invalid("tokenizer.json: id {} is both '{}' and '{}'", id, spec.tokens[at], text);
  }
  spec.tokens[at] = text;
  return {};
}

Status read_vocabulary(const Json& vocabulary, TokenizerSpec& spec) {
  if (!vocabulary.is_object()) return invalid("tokenizer.json: model.vocab is not an object");
  for (const auto& [text, id] : vocabulary.items()) {
    if (!id.is_number_integer())
      return invalid("tokenizer.json: the id of '{}' is not an integer", text);
    PLINTH_TRY(put_token(spec, id.get<int64_t>(), text, "token"));
  }
  return {};
}

// Unigram: [text, score] pairs, index = id.
Status read_scored(const Json& vocabulary, TokenizerSpec& spec) {
  if (!vocabulary.is_array()) return invalid("tokenizer.json: model.vocab is not a list");
  if (vocabulary.size() > static_cast<size_t>(kIdMax))
    return invalid("tokenizer.json: {} tokens are more than {}", vocabulary.size(), kIdMax);
  for (const Json& row : vocabulary) {
    if (!row.is_array() || row.size() != 2 || !row[0].is_string() || !row[1].is_number())
      return invalid("tokenizer.json: token {} is not [text, score]", spec.tokens.size());
    spec.tokens.push_back(row[0].get<std::string>());
    spec.scores.push_back(row[1].get<float>());
  }
  return {};
}

Status read_merges(const Json& merges, TokenizerSpec& spec) {
  if (!merges.is_array()) return invalid("tokenizer.json: model.merges is not a list");
  spec.merges.reserve(merges.size());
  for (const Json& merge : merges) {
    if (merge.is_string()) {
      spec.merges.push_back(merge.get<std::string>());
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
      spec.merges.push_back(merge[0].get<std::string>() + " " + merge[1].get<std::string>());
    } else {
      return invalid("tokenizer.json: merge {} is neither \"a b\" nor [\"a\", \"b\"]",
                     spec.merges.size());
    }
  }
  return {};
}

Status read_added(const Json& added, bool normalizes, TokenizerSpec& spec) {
  if (added.is_null()) return {};
  if (!added.is_array()) return invalid("tokenizer.json: added_tokens is not a list");
  for (const Json& token : added) {
    PLINTH_TRY(const std::string text, get_string(token, "content"));
    PLINTH_TRY(const int64_t id, get_int(token, "id"));
    PLINTH_TRY(put_token(spec, id, text, "added token"));
    auto& list = bool_or(token, "special", false) ? spec.special : spec.user_defined;
    list.push_back(static_cast<int32_t>(id));
    // Without a normaliser the normalised text is the raw one.
    const Matching rule = {static_cast<int32_t>(id), bool_or(token, "lstrip", false),
                           bool_or(token, "rstrip", false), bool_or(token, "single_word", false),
                           normalizes && bool_or(token, "normalized", false)};
    if (rule.left || rule.right || rule.word || rule.normalized) spec.matching.push_back(rule);
  }
  return {};
}

Status read_bpe(const Json& model, TokenizerSpec& spec) {
  for (const char* option : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"})
    PLINTH_TRY(refuse_option(model, option));
  if (spec.algorithm == Algorithm::kByteBpe) PLINTH_TRY(refuse_option(model, "byte_fallback"));
  spec.byte_fallback = bool_or(model, "byte_fallback", false);
  spec.ignore_merges = bool_or(model, "ignore_merges", false);
  PLINTH_TRY(read_vocabulary(member(model, "vocab"), spec));
  PLINTH_TRY(read_merges(member(model, "merges"), spec));
  const std::string unknown = string_or(model, "unk_token", "");
  if (spec.algorithm == Algorithm::kByteBpe || unknown.empty()) return {};
  spec.fuse_unknown = bool_or(model, "fuse_unk", false);
  const Json& id = member(member(model, "vocab"), unknown.c_str());
  if (!id.is_number_integer())
    return invalid("tokenizer.json: unk_token '{}' is not in the vocabulary", unknown);
  spec.unknown = id.get<int32_t>();
  spec.unknown_text = unknown;
  return {};
}

Status read_unigram(const Json& model, TokenizerSpec& spec) {
  spec.algorithm = Algorithm::kUnigram;
  spec.byte_fallback = bool_or(model, "byte_fallback", false);
  PLINTH_TRY(read_scored(member(model, "vocab"), spec));
  const int64_t unknown = int_or(model, "unk_id", -1);
  if (unknown < -1 || unknown >= std::ssize(spec.tokens))
    return invalid("tokenizer.json: unk_id {} is outside the {} tokens", unknown,
                   spec.tokens.size());
  spec.unknown = static_cast<int32_t>(unknown);
  if (unknown >= 0) spec.unknown_text = spec.tokens[static_cast<size_t>(unknown)];
  return {};
}

// Whether bytes are written in the GPT-2 alphabet: the pre-tokenizer or the decoder says so.
Result<bool> is_byte_level(const Json& root) {
  if (type_of(member(root, "decoder")) == "ByteLevel") return true;
  PLINTH_TRY(const auto steps, steps_of(member(root, "pre_tokenizer"), "pretokenizers"));
  return !steps.empty() && type_of(steps.back()) == "ByteLevel";
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_json(std::string_view tokenizer_json) {
  PLINTH_TRY(const Json root, parse_json(tokenizer_json, "tokenizer.json"));
  if (!root.is_object()) return invalid("tokenizer.json: not an object");
  const Json& model = member(root, "model");
  if (!model.is_object()) return invalid("tokenizer.json: no model object");
  const std::string type = type_of(model);
  if (type != "BPE" && type != "Unigram")
    return refused("model type '{}' is neither BPE nor Unigram", type);

  TokenizerSpec spec;
  PLINTH_TRY(const bool byte_level, is_byte_level(root));
  const Json& pre = member(root, "pre_tokenizer");
  PLINTH_TRY(read_normalizer(member(root, "normalizer"), spec));
  if (type == "Unigram") {
    PLINTH_TRY(read_unigram(model, spec));
    PLINTH_TRY(read_metaspace(pre, spec));
  } else {
    spec.algorithm = byte_level ? Algorithm::kByteBpe : Algorithm::kBpe;
    PLINTH_TRY(read_bpe(model, spec));
    PLINTH_TRY(byte_level ? read_byte_level(pre, spec) : read_metaspace(pre, spec));
  }
  PLINTH_TRY(read_decoder(member(root, "decoder"), spec));
  PLINTH_TRY(read_post_processor(member(root, "post_processor"), spec));
  const bool normalizes = !member(root, "normalizer").is_null();
  PLINTH_TRY(read_added(member(root, "added_tokens"), normalizes, spec));
  if (spec.algorithm == Algorithm::kUnigram) spec.scores.resize(spec.tokens.size());
  return from_spec(std::move(spec));
}

}  // namespace plinth::text
