#include "text/tokenizer_json.h"

#include <algorithm>
#include <initializer_list>

#include "core/json.h"
#include "text/pre_tokenizer.h"

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

// A model option that must be absent, null, false or "".
Status refuse_option(const Json& object, const char* key) {
  const Json& value = member(object, key);
  const bool off = value.is_null() || value == false || value == "" || value == 0.0;
  if (!off) return refused("{} {} is not supported", key, to_text(value));
  return {};
}

std::string type_of(const Json& object) {
  return string_or(object, "type", "");
}

Result<bool> read_nfc(const Json& normalizer) {
  if (normalizer.is_null()) return false;
  if (type_of(normalizer) == "NFC") return true;
  return refused("normalizer '{}' is not supported", type_of(normalizer));
}

Status check_byte_level(const Json& step) {
  if (type_of(step) != "ByteLevel")
    return refused("pre_tokenizer '{}' is not supported", type_of(step));
  if (bool_or(step, "add_prefix_space", true))
    return refused("ByteLevel with add_prefix_space is not supported");
  return {};
}

Result<std::string> read_split(const Json& split) {
  const std::string regex = string_or(member(split, "pattern"), "Regex", "");
  const auto pre = pre_tokenizer_of_regex(regex);
  if (!pre) return refused("Split with the pattern '{}' is not supported", regex);
  if (string_or(split, "behavior", "") != "Isolated" || bool_or(split, "invert", false))
    return refused("Split other than Isolated is not supported");
  return std::string(pre_tokenizer_name(*pre));
}

// ByteLevel alone (GPT-2's regex is built into it), or [Split, ByteLevel without regex].
Result<std::string> read_pre_tokenizer(const Json& pre) {
  const Json steps = type_of(pre) == "Sequence" ? member(pre, "pretokenizers") : Json::array({pre});
  if (!steps.is_array() || steps.empty() || steps.size() > 2)
    return refused("pre_tokenizer {} is not supported", to_text(pre));
  PLINTH_TRY(check_byte_level(steps.back()));
  const bool regex = bool_or(steps.back(), "use_regex", true);
  if (steps.size() == 1) {
    if (!regex) return refused("ByteLevel without a regex or a Split is not supported");
    return std::string(pre_tokenizer_name(PreTokenizer::kGpt2));
  }
  if (type_of(steps[0]) != "Split")
    return refused("pre_tokenizer '{}' is not supported", type_of(steps[0]));
  if (regex) return refused("a Split before ByteLevel with a regex of its own is not supported");
  return read_split(steps[0]);
}

Status put_token(BpeSpec& spec, int64_t id, const std::string& text, const char* where) {
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

Status read_vocabulary(const Json& vocabulary, BpeSpec& spec) {
  if (!vocabulary.is_object()) return invalid("tokenizer.json: model.vocab is not an object");
  for (const auto& [text, id] : vocabulary.items()) {
    if (!id.is_number_integer())
      return invalid("tokenizer.json: the id of '{}' is not an integer", text);
    PLINTH_TRY(put_token(spec, id.get<int64_t>(), text, "token"));
  }
  return {};
}

Status read_merges(const Json& merges, BpeSpec& spec) {
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

Status read_added(const Json& added, BpeSpec& spec) {
  if (added.is_null()) return {};
  if (!added.is_array()) return invalid("tokenizer.json: added_tokens is not a list");
  for (const Json& token : added) {
    PLINTH_TRY(const std::string text, get_string(token, "content"));
    PLINTH_TRY(const int64_t id, get_int(token, "id"));
    for (const char* option : {"single_word", "lstrip", "rstrip"})
      if (bool_or(token, option, false))
        return refused("added token '{}' with {} is not supported", text, option);
    PLINTH_TRY(put_token(spec, id, text, "added token"));
    auto& list = bool_or(token, "special", false) ? spec.special : spec.user_defined;
    list.push_back(static_cast<int32_t>(id));
  }
  return {};
}

Status check_model(const Json& model) {
  if (!model.is_object()) return invalid("tokenizer.json: no model object");
  if (type_of(model) != "BPE") return refused("model type '{}' is not BPE", type_of(model));
  for (const char* option :
       {"dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"})
    PLINTH_TRY(refuse_option(model, option));
  return {};
}

Json byte_level(bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", false},
          {"use_regex", use_regex}};
}

Json pre_tokenizer_json(const std::string& name) {
  const auto pre = pre_tokenizer_named(name).value_or(PreTokenizer::kQwen2);
  if (pre == PreTokenizer::kGpt2) return byte_level(true);
  const Json split = {{"type", "Split"},
                      {"pattern", {{"Regex", std::string(pre_tokenizer_regex(pre))}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  return {{"type", "Sequence"}, {"pretokenizers", Json::array({split, byte_level(false)})}};
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_json(std::string_view tokenizer_json) {
  PLINTH_TRY(const Json root, parse_json(tokenizer_json, "tokenizer.json"));
  if (!root.is_object()) return invalid("tokenizer.json: not an object");
  const Json& model = member(root, "model");
  PLINTH_TRY(check_model(model));
  BpeSpec spec;
  PLINTH_TRY(spec.nfc, read_nfc(member(root, "normalizer")));
  PLINTH_TRY(spec.pre, read_pre_tokenizer(member(root, "pre_tokenizer")));
  const Json& decoder = member(root, "decoder");
  if (!decoder.is_null() && type_of(decoder) != "ByteLevel")
    return refused("decoder '{}' is not supported", type_of(decoder));
  const bool whole_pieces = spec.pre == pre_tokenizer_name(PreTokenizer::kLlamaBpe);
  if (bool_or(model, "ignore_merges", false) != whole_pieces) {
    return refused("ignore_merges {} together with the {} pattern is not supported", !whole_pieces,
                   spec.pre);
  }
  PLINTH_TRY(read_vocabulary(member(model, "vocab"), spec));
  PLINTH_TRY(read_merges(member(model, "merges"), spec));
  PLINTH_TRY(read_added(member(root, "added_tokens"), spec));
  return from_bpe(std::move(spec));
}

std::string write_tokenizer_json(const BpeSpec& spec) {
  std::vector<char> special(spec.tokens.size(), 0);
  std::vector<char> literal(spec.tokens.size(), 0);
  for (const int32_t id : spec.special) special[static_cast<size_t>(id)] = 1;
  for (const auto* list : {&spec.special, &spec.user_defined})
    for (const int32_t id : *list) literal[static_cast<size_t>(id)] = 1;

  Json vocabulary = Json::object();
  Json added = Json::array();
  for (size_t id = 0; id < spec.tokens.size(); ++id) {
    if (literal[id] != 0) {
      added.push_back({{"id", id},
                       {"content", spec.tokens[id]},
                       {"single_word", false},
                       {"lstrip", false},
                       {"rstrip", false},
                       {"normalized", false},
                       {"special", special[id] != 0}});
    } else if (!spec.tokens[id].empty()) {
      vocabulary[spec.tokens[id]] = id;
    }
  }
  const Json model = {{"type", "BPE"},
                      {"dropout", nullptr},
                      {"unk_token", nullptr},
                      {"continuing_subword_prefix", nullptr},
                      {"end_of_word_suffix", nullptr},
                      {"fuse_unk", false},
                      {"byte_fallback", false},
                      {"ignore_merges", spec.pre == pre_tokenizer_name(PreTokenizer::kLlamaBpe)},
                      {"vocab", std::move(vocabulary)},
                      {"merges", spec.merges}};
  const Json root = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", std::move(added)},
                     {"normalizer", spec.nfc ? Json{{"type", "NFC"}} : Json()},
                     {"pre_tokenizer", pre_tokenizer_json(spec.pre)},
                     {"post_processor", nullptr},
                     {"decoder", byte_level(true)},
                     {"model", model}};
  return to_text(root);
}

}  // namespace plinth::text
