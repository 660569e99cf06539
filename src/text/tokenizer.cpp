// The pipeline that all tokenizers share: added tokens are cut out, what stands between them is
// normalised, and the algorithm turns it into ids.
#include "text/tokenizer.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "text/added_tokens.h"
#include "text/byte_alphabet.h"
#include "text/normalizer.h"
#include "text/subwords.h"
#include "text/tokenizer_json.h"

namespace plinth::text {

namespace {

constexpr size_t kTokensMax = size_t{1} << 24;

// The byte of a token "<0xE4>"; -1 when it is not written so.
int byte_of(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  int value = 0;
  for (const char c : token.substr(3, 2)) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && (c < 'A' || c > 'F')) return -1;
    value = value * 16 + (digit ? c - '0' : c - 'A' + 10);
  }
  return value;
}

Status check_id(const char* name, int32_t id, size_t size) {
  if (id < -1 || (id >= 0 && static_cast<size_t>(id) >= size))
    return invalid("tokenizer: {} id {} is outside the {} tokens", name, id, size);
  return {};
}

Status check_ids(const TokenizerSpec& spec) {
  const size_t size = spec.tokens.size();
  if (size == 0 || size > kTokensMax)
    return invalid("tokenizer: {} tokens is outside 1..{}", size, kTokensMax);
  PLINTH_TRY(check_id("bos", spec.bos, size));
  PLINTH_TRY(check_id("eos", spec.eos, size));
  PLINTH_TRY(check_id("pad", spec.pad, size));
  PLINTH_TRY(check_id("unknown", spec.unknown, size));
  for (const auto* list : {&spec.before, &spec.after})
    for (const int32_t id : *list)
      if (id < 0 || static_cast<size_t>(id) >= size)
        return invalid("tokenizer: id {} around a text is outside the {} tokens", id, size);
  return {};
}

Result<std::vector<Role>> roles_of(const TokenizerSpec& spec) {
  std::vector<Role> roles(spec.tokens.size(), Role::kPiece);
  const auto mark = [&](const std::vector<int32_t>& list, Role role) -> Status {
    for (const int32_t id : list) {
      if (id < 0 || static_cast<size_t>(id) >= roles.size())
        return invalid("tokenizer: special id {} is outside the {} tokens", id, roles.size());
      auto& old = roles[static_cast<size_t>(id)];
      if (old != Role::kPiece) return invalid("tokenizer: id {} is listed as special twice", id);
      if (spec.tokens[static_cast<size_t>(id)].empty())
        return invalid("tokenizer: special token {} has no text", id);
      old = role;
    }
    return {};
  };
  PLINTH_TRY(mark(spec.special, Role::kSpecial));
  PLINTH_TRY(mark(spec.user_defined, Role::kUserDefined));
  PLINTH_TRY(mark(spec.unused, Role::kUnused));
  if (spec.unknown >= 0) {
    auto& role = roles[static_cast<size_t>(spec.unknown)];
    if (role == Role::kPiece && spec.algorithm != Algorithm::kByteBpe) role = Role::kUnknown;
  }
  std::vector<bool> bytes(256);
  for (size_t id = 0; id < roles.size(); ++id) {
    if (spec.tokens[id].empty()) roles[id] = Role::kNone;
    if (!spec.byte_fallback || roles[id] != Role::kPiece) continue;
    const int byte = byte_of(spec.tokens[id]);
    if (byte < 0 || bytes[static_cast<size_t>(byte)]) continue;
    roles[id] = Role::kByte;
    bytes[static_cast<size_t>(byte)] = true;
  }
  if (spec.byte_fallback) {
    const auto missing = std::find(bytes.begin(), bytes.end(), false);
    if (missing != bytes.end())
      return invalid("tokenizer: byte 0x{:02X} has no token", missing - bytes.begin());
  }
  return roles;
}

std::string with_spaces(std::string_view token) {
  std::string out;
  for (size_t at = token.find(kSpaceMark); at != token.npos; at = token.find(kSpaceMark)) {
    out.append(token.substr(0, at)).append(" ");
    token.remove_prefix(at + kSpaceMark.size());
  }
  return out.append(token);
}

// What an id stands for in a text.
Result<std::string> bytes_of(const TokenizerSpec& spec, size_t id, Role role) {
  const std::string& token = spec.tokens[id];
  switch (role) {
    case Role::kNone:
      return std::string();
    case Role::kByte:
      return std::string(1, static_cast<char>(byte_of(token)));
    case Role::kUnknown:
      return spec.unknown_text;
    case Role::kSpecial:
      return token;
    default:
      break;
  }
  if (spec.algorithm != Algorithm::kByteBpe) return spec.escape_spaces ? with_spaces(token) : token;
  if (role == Role::kUserDefined) return token;
  auto bytes = from_byte_alphabet(token);
  if (!bytes) return invalid("tokenizer: token {} '{}' is not in the byte alphabet", id, token);
  return *std::move(bytes);
}

Status check_duplicates(const TokenizerSpec& spec, const std::vector<Role>& roles) {
  std::unordered_map<std::string_view, size_t> ids;
  ids.reserve(spec.tokens.size());
  for (size_t id = 0; id < spec.tokens.size(); ++id) {
    if (roles[id] != Role::kPiece && roles[id] != Role::kUnused) continue;
    if (const auto [other, fresh] = ids.emplace(spec.tokens[id], id); !fresh)
      return invalid("tokenizer: token '{}' is there twice, as {} and {}", spec.tokens[id],
                     other->second, id);
  }
  return {};
}

Result<Vocabulary> vocabulary_of(const TokenizerSpec& spec) {
  Vocabulary out;
  PLINTH_TRY(out.roles, roles_of(spec));
  PLINTH_TRY(check_duplicates(spec, out.roles));
  out.bytes.resize(spec.tokens.size());
  for (size_t id = 0; id < spec.tokens.size(); ++id) {
    PLINTH_TRY(out.bytes[id], bytes_of(spec, id, out.roles[id]));
  }
  return out;
}

class PipelineTokenizer final : public Tokenizer {
 public:
  PipelineTokenizer(TokenizerSpec spec, std::unique_ptr<const Vocabulary> vocabulary,
                    Normalizer normalizer, AddedTokens added,
                    std::unique_ptr<const Subwords> subwords)
      : spec_(std::move(spec)),
        vocabulary_(std::move(vocabulary)),
        normalizer_(std::move(normalizer)),
        added_(std::move(added)),
        subwords_(std::move(subwords)) {}

  std::vector<int32_t> encode(std::string_view text, bool parse_special) const override {
    return run(text, parse_special, true);
  }

  std::vector<int32_t> encode_more(std::string_view text) const override {
    return run(text, false, false);
  }

  std::string decode(std::span<const int32_t> ids, bool with_special) const override {
    return write(ids, with_special, spec_.drop_first_space);
  }

  std::string decode_more(std::span<const int32_t> ids) const override {
    return write(ids, false, false);
  }

  int32_t size() const override { return static_cast<int32_t>(spec_.tokens.size()); }

  int32_t bos() const override { return spec_.bos; }

  int32_t eos() const override { return spec_.eos; }

  bool is_special(int32_t id) const override {
    return id >= 0 && id < size() && vocabulary_->roles[static_cast<size_t>(id)] == Role::kSpecial;
  }

  int32_t special_id(std::string_view text) const override { return added_.id_of(text); }

  const TokenizerSpec& spec() const override { return spec_; }

  std::string to_json() const override {
    const bool scored = spec_.algorithm == Algorithm::kBpe && spec_.merges.empty();
    return write_tokenizer_json(spec_,
                                scored ? merges_of_scores(spec_, *vocabulary_) : spec_.merges);
  }

 private:
  std::vector<int32_t> run(std::string_view text, bool parse_special, bool first) const {
    std::vector<int32_t> out;
    out.reserve(text.size() / 4 + 8);
    size_t done = 0;
    added_.each(AddedTokens::kRaw, text, parse_special, [&](size_t begin, size_t end, int32_t id) {
      encode_between(text.substr(done, begin - done), parse_special, first && done == 0, out);
      out.push_back(id);
      done = end;
    });
    encode_between(text.substr(done), parse_special, first && done == 0, out);
    return out;
  }

  // Text without the added tokens that are looked for in raw text.
  void encode_between(std::string_view text, bool parse_special, bool first,
                      std::vector<int32_t>& out) const {
    if (text.empty()) return;
    std::string normal;
    if (!normalizer_.is_identity()) {
      normal = normalizer_.apply(text, first, added_.verbatim());
      text = normal;
    }
    size_t done = 0;
    added_.each(AddedTokens::kNormal, text, parse_special,
                [&](size_t begin, size_t end, int32_t id) {
                  if (begin > done) subwords_->encode(text.substr(done, begin - done), out);
                  out.push_back(id);
                  done = end;
                });
    if (done < text.size()) subwords_->encode(text.substr(done), out);
  }

  std::string write(std::span<const int32_t> ids, bool with_special, bool drop) const {
    std::string out;
    for (const int32_t id : ids) {
      if (id < 0 || id >= size() || (!with_special && is_special(id))) continue;
      std::string_view bytes = vocabulary_->bytes[static_cast<size_t>(id)];
      if (drop) {
        const Role role = vocabulary_->roles[static_cast<size_t>(id)];
        const bool piece = role != Role::kUnknown && role != Role::kSpecial;
        if (piece && bytes.starts_with(' ')) bytes.remove_prefix(1);
        // Where spaces are trimmed, all leading ones were put there by normalisation.
        drop = spec_.trim_spaces && bytes.empty();
      }
      out += bytes;
    }
    return out;
  }

  TokenizerSpec spec_;
  std::unique_ptr<const Vocabulary> vocabulary_;  // `subwords_` points into it
  Normalizer normalizer_;
  AddedTokens added_;
  std::unique_ptr<const Subwords> subwords_;
};

Result<std::unique_ptr<const Subwords>> make_subwords(const TokenizerSpec& spec,
                                                      const Vocabulary& vocabulary) {
  switch (spec.algorithm) {
    case Algorithm::kByteBpe:
      return make_byte_bpe(spec, vocabulary);
    case Algorithm::kBpe:
      return make_bpe(spec, vocabulary);
    case Algorithm::kUnigram:
      return make_unigram(spec, vocabulary);
  }
  return internal_error("tokenizer: algorithm {}", static_cast<int>(spec.algorithm));
}

}  // namespace

std::vector<int32_t> Tokenizer::encode_whole(std::string_view text, bool parse_special) const {
  std::vector<int32_t> ids = spec().before;
  const auto middle = encode(text, parse_special);
  ids.insert(ids.end(), middle.begin(), middle.end());
  ids.insert(ids.end(), spec().after.begin(), spec().after.end());
  return ids;
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_spec(TokenizerSpec spec) {
  PLINTH_TRY(check_ids(spec));
  PLINTH_TRY(auto vocabulary, vocabulary_of(spec));
  PLINTH_TRY(auto normalizer, Normalizer::create(spec));
  PLINTH_TRY(auto added, AddedTokens::create(spec, normalizer));
  auto owned = std::make_unique<const Vocabulary>(std::move(vocabulary));
  PLINTH_TRY(auto subwords, make_subwords(spec, *owned));
  return std::shared_ptr<const Tokenizer>(
      std::make_shared<PipelineTokenizer>(std::move(spec), std::move(owned), std::move(normalizer),
                                          std::move(added), std::move(subwords)));
}

}  // namespace plinth::text
