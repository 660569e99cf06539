#include "text/spec_options.h"

#include "core/json.h"

namespace plinth::text {

namespace {

struct Flag {
  const char* name;
  bool TokenizerSpec::*member;
};

constexpr Flag kFlags[] = {{"ignore_merges", &TokenizerSpec::ignore_merges},
                           {"trim_spaces", &TokenizerSpec::trim_spaces},
                           {"escape_spaces", &TokenizerSpec::escape_spaces},
                           {"prefix_at_end", &TokenizerSpec::prefix_at_end},
                           {"words", &TokenizerSpec::words},
                           {"drop_first_space", &TokenizerSpec::drop_first_space},
                           {"sentencepiece", &TokenizerSpec::sentencepiece},
                           {"byte_fallback", &TokenizerSpec::byte_fallback},
                           {"fuse_unknown", &TokenizerSpec::fuse_unknown}};

struct Ids {
  const char* name;
  std::vector<int32_t> TokenizerSpec::*member;
};

constexpr Ids kIds[] = {{"before", &TokenizerSpec::before}, {"after", &TokenizerSpec::after}};

constexpr const char* kPrefixes[] = {"none", "always", "unless_there", "first"};

Result<std::vector<int32_t>> read_ids(const Json& list, const std::string& name) {
  std::vector<int32_t> ids;
  if (!list.is_array()) return invalid("tokenizer options: '{}' is not a list", name);
  for (const Json& id : list) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() > INT32_MAX)
      return invalid("tokenizer options: '{}' has the id {}", name, to_text(id));
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

Status read_matching(const Json& list, TokenizerSpec& spec) {
  if (!list.is_array()) return invalid("tokenizer options: 'matching' is not a list");
  for (const Json& row : list) {
    PLINTH_TRY(const int64_t id, get_int(row, "id"));
    if (id < 0 || id > INT32_MAX) return invalid("tokenizer options: 'matching' has the id {}", id);
    spec.matching.push_back({static_cast<int32_t>(id), bool_or(row, "left", false),
                             bool_or(row, "right", false), bool_or(row, "word", false),
                             bool_or(row, "normalized", false)});
  }
  return {};
}

Status read_prefix(const Json& value, TokenizerSpec& spec) {
  for (size_t i = 0; i < std::size(kPrefixes); ++i) {
    if (value != kPrefixes[i]) continue;
    spec.prefix = static_cast<SpacePrefix>(i);
    return {};
  }
  return invalid("tokenizer options: the prefix {} is unknown", to_text(value));
}

Status read_splits(const Json& list, TokenizerSpec& spec) {
  if (!list.is_array()) return invalid("tokenizer options: 'splits' is not a list");
  for (const Json& regex : list) {
    if (!regex.is_string()) return invalid("tokenizer options: 'splits' has {}", to_text(regex));
    spec.splits.push_back(regex.get<std::string>());
  }
  if (!spec.splits.empty()) spec.pre.clear();
  return {};
}

Status read_option(const std::string& name, const Json& value, TokenizerSpec& spec) {
  for (const Flag& flag : kFlags) {
    if (name != flag.name) continue;
    if (!value.is_boolean()) return invalid("tokenizer options: '{}' is not true or false", name);
    spec.*flag.member = value.get<bool>();
    return {};
  }
  for (const Ids& ids : kIds) {
    if (name != ids.name) continue;
    PLINTH_TRY(spec.*ids.member, read_ids(value, name));
    return {};
  }
  if (name == "prefix") return read_prefix(value, spec);
  if (name == "splits") return read_splits(value, spec);
  if (name == "matching") return read_matching(value, spec);
  if (name == "unknown_text" && value.is_string()) {
    spec.unknown_text = value.get<std::string>();
    return {};
  }
  return invalid("tokenizer options: '{}' is unknown", name);
}

}  // namespace

std::string write_spec_options(const TokenizerSpec& spec) {
  Json out = Json::object();
  for (const Flag& flag : kFlags)
    if (spec.*flag.member) out[flag.name] = true;
  for (const Ids& ids : kIds)
    if (!(spec.*ids.member).empty()) out[ids.name] = spec.*ids.member;
  out["prefix"] = kPrefixes[static_cast<size_t>(spec.prefix)];
  if (!spec.splits.empty()) out["splits"] = spec.splits;
  if (!spec.unknown_text.empty()) out["unknown_text"] = spec.unknown_text;
  for (const Matching& rule : spec.matching)
    out["matching"].push_back({{"id", rule.id},
                               {"left", rule.left},
                               {"right", rule.right},
                               {"word", rule.word},
                               {"normalized", rule.normalized}});
  return to_text(out);
}

Status read_spec_options(std::string_view options, TokenizerSpec& spec) {
  PLINTH_TRY(const Json root, parse_json(options, "tokenizer options"));
  if (!root.is_object()) return invalid("tokenizer options: not an object");
  // What is not named is off.
  for (const Flag& flag : kFlags) spec.*flag.member = false;
  for (const Ids& ids : kIds) (spec.*ids.member).clear();
  for (const auto& [name, value] : root.items()) PLINTH_TRY(read_option(name, value, spec));
  return {};
}

}  // namespace plinth::text
