#include "text/tokenizer.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "core/hash.h"
#include "text/byte_alphabet.h"
#include "text/merge_table.h"
#include "text/pre_tokenizer.h"
#include "text/special_matcher.h"
#include "text/tokenizer_json.h"
#include "text/unicode.h"

namespace plinth::text {

namespace {

// A single run of letters longer than this is cut: bounds the memory of one merge (28 bytes a
// byte). No natural text comes near.
constexpr size_t kPieceBytesMax = size_t{1} << 20;

// Texts from this size on remember the pieces they have seen; below, setting up would cost more.
constexpr size_t kCachedTextBytes = 4096;
constexpr size_t kCacheSlots = 8192;
constexpr size_t kCachedPieceBytes = 64;

// Pieces met earlier in the same text: direct-mapped, the newest wins. The ids are not copied but
// found again in the output.
class PieceCache {
 public:
  explicit PieceCache(bool enabled) : slots_(enabled ? kCacheSlots : 0) {}

  bool repeat(std::string_view piece, std::vector<int32_t>& out) {
    at_ = nullptr;
    if (slots_.empty() || piece.size() > kCachedPieceBytes) return false;
    at_ = &slots_[xxh3(piece) & (kCacheSlots - 1)];
    if (at_->piece != piece) return false;
    out.reserve(out.size() + at_->n_ids);  // the source is in `out` itself
    for (size_t i = 0; i < at_->n_ids; ++i) out.push_back(out[at_->first + i]);
    return true;
  }

  // Remembers the piece that repeat() has just missed: its ids are out[first...].
  void remember(std::string_view piece, size_t first, size_t n_ids) {
    if (at_ != nullptr) *at_ = {piece, first, n_ids};
  }

 private:
  struct Slot {
    std::string_view piece;  // lies in the text that is being encoded
    size_t first = 0;
    size_t n_ids = 0;
  };

  std::vector<Slot> slots_;
  Slot* at_ = nullptr;
};

// What from_bpe() has checked and indexed.
struct BpeTables {
  BpeSpec spec;
  PreTokenizer pre = PreTokenizer::kQwen2;
  std::vector<std::string> bytes;  // what each id stands for
  std::vector<char> special;       // by id
  std::array<int32_t, 256> byte_token{};
  std::vector<Merge> merges;
  SpecialMatcher matcher;
  std::unordered_map<std::string_view, int32_t> whole;  // views into `bytes`
};

class BpeTokenizer final : public Tokenizer {
 public:
  explicit BpeTokenizer(BpeTables tables) : t_(std::move(tables)), merges_(t_.merges) {
    t_.merges.clear();
    t_.merges.shrink_to_fit();
  }

  std::vector<int32_t> encode(std::string_view text, bool parse_special) const override {
    std::vector<int32_t> out;
    out.reserve(text.size() / 4 + 8);
    size_t at = 0;
    while (parse_special) {
      const auto hit = t_.matcher.find(text, at);
      if (!hit) break;
      encode_plain(text.substr(at, hit->at - at), out);
      out.push_back(hit->id);
      at = hit->at + hit->length;
    }
    encode_plain(text.substr(at), out);
    return out;
  }

  std::string decode(std::span<const int32_t> ids, bool with_special) const override {
    std::string out;
    for (const int32_t id : ids) {
      if (id < 0 || id >= size()) continue;
      if (with_special || !is_special(id)) out += t_.bytes[static_cast<size_t>(id)];
    }
    return out;
  }

  int32_t size() const override { return static_cast<int32_t>(t_.bytes.size()); }

  int32_t bos() const override { return t_.spec.bos; }

  int32_t eos() const override { return t_.spec.eos; }

  bool is_special(int32_t id) const override {
    return id >= 0 && id < size() && t_.special[static_cast<size_t>(id)] != 0;
  }

  int32_t special_id(std::string_view text) const override { return t_.matcher.id_of(text); }

  const BpeSpec& spec() const override { return t_.spec; }

  std::string to_json() const override { return write_tokenizer_json(t_.spec); }

 private:
  // Text without special tokens.
  void encode_plain(std::string_view text, std::vector<int32_t>& out) const {
    if (text.empty()) return;
    std::string normal;
    if (t_.spec.nfc) {
      normal = to_nfc(text);
      text = normal;
    }
    PieceCache cache(text.size() >= kCachedTextBytes);
    std::vector<int32_t> ids;
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(piece_end(t_.pre, text, at), at + kPieceBytesMax);
      const std::string_view piece = text.substr(at, end - at);
      at = end;
      if (cache.repeat(piece, out)) continue;
      const size_t first = out.size();
      encode_piece(piece, ids);
      out.insert(out.end(), ids.begin(), ids.end());
      cache.remember(piece, first, ids.size());
    }
  }

  void encode_piece(std::string_view piece, std::vector<int32_t>& ids) const {
    ids.clear();
    if (t_.pre == PreTokenizer::kLlamaBpe) {
      if (const auto hit = t_.whole.find(piece); hit != t_.whole.end()) {
        ids.push_back(hit->second);
        return;
      }
    }
    for (const char byte : piece) ids.push_back(t_.byte_token[static_cast<unsigned char>(byte)]);
    merges_.apply(ids);
  }

  BpeTables t_;
  MergeTable merges_;
};

Status check_id(const char* name, int32_t id, size_t size) {
  if (id < -1 || (id >= 0 && static_cast<size_t>(id) >= size))
    return invalid("tokenizer: {} id {} is outside the {} tokens", name, id, size);
  return {};
}

// Marks the literal tokens: 1 special, 2 user-defined.
Result<std::vector<char>> literal_kinds(const BpeSpec& spec) {
  std::vector<char> kinds(spec.tokens.size(), 0);
  for (const auto* list : {&spec.special, &spec.user_defined}) {
    for (const int32_t id : *list) {
      if (id < 0 || static_cast<size_t>(id) >= kinds.size())
        return invalid("tokenizer: special id {} is outside the {} tokens", id, kinds.size());
      auto& kind = kinds[static_cast<size_t>(id)];
      if (kind != 0) return invalid("tokenizer: id {} is listed as special twice", id);
      if (spec.tokens[static_cast<size_t>(id)].empty())
        return invalid("tokenizer: special token {} has no text", id);
      kind = list == &spec.special ? 1 : 2;
    }
  }
  return kinds;
}

using TokenIds = std::unordered_map<std::string_view, int32_t>;

Result<std::vector<Merge>> resolve_merges(const BpeSpec& spec, const TokenIds& ids) {
  std::vector<Merge> merges;
  merges.reserve(spec.merges.size());
  std::string joined;
  for (size_t rank = 0; rank < spec.merges.size(); ++rank) {
    const std::string_view text = spec.merges[rank];
    const size_t space = text.find(' ');
    if (space == 0 || space == text.npos || space + 1 == text.size())
      return invalid("tokenizer: merge {} '{}' is not two tokens", rank, text);
    const auto left = ids.find(text.substr(0, space));
    const auto right = ids.find(text.substr(space + 1));
    joined.assign(text.substr(0, space)).append(text.substr(space + 1));
    const auto result = ids.find(joined);
    if (left == ids.end() || right == ids.end() || result == ids.end())
      return invalid(
          "tokenizer: merge {} '{}' names or makes a token that is not in the vocabulary", rank,
          text);
    merges.push_back({left->second, right->second, result->second});
  }
  return merges;
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_bpe(BpeSpec spec) {
  if (spec.tokens.empty() || spec.tokens.size() > (size_t{1} << 24))
    return invalid("tokenizer: {} tokens is outside 1..{}", spec.tokens.size(), 1 << 24);
  BpeTables t;
  const auto pre = pre_tokenizer_named(spec.pre);
  if (!pre) {
    return make_error(Code::kUnimplemented,
                      "tokenizer: pre-tokenizer '{}' is not one of gpt-2, qwen2, llama-bpe",
                      spec.pre);
  }
  t.pre = *pre;
  PLINTH_TRY(check_id("bos", spec.bos, spec.tokens.size()));
  PLINTH_TRY(check_id("eos", spec.eos, spec.tokens.size()));
  PLINTH_TRY(check_id("pad", spec.pad, spec.tokens.size()));
  PLINTH_TRY(const std::vector<char> kinds, literal_kinds(spec));

  TokenIds ids;
  ids.reserve(spec.tokens.size());
  t.byte_token.fill(-1);
  t.bytes.resize(spec.tokens.size());
  t.special.resize(spec.tokens.size());
  for (size_t id = 0; id < spec.tokens.size(); ++id) {
    const std::string& token = spec.tokens[id];
    const auto id32 = static_cast<int32_t>(id);
    if (kinds[id] != 0) {
      t.special[id] = kinds[id] == 1;
      t.bytes[id] = token;
      if (!t.matcher.add(token, id32))
        return invalid("tokenizer: special token '{}' is there twice (again as {})", token, id);
      continue;
    }
    if (token.empty()) continue;  // an unused id
    if (const auto [other, fresh] = ids.emplace(token, id32); !fresh)
      return invalid("tokenizer: token '{}' is there twice, as {} and {}", token, other->second,
                     id);
    auto bytes = from_byte_alphabet(token);
    if (!bytes) return invalid("tokenizer: token {} '{}' is not in the byte alphabet", id, token);
    t.bytes[id] = std::move(*bytes);
    if (t.bytes[id].size() == 1) t.byte_token[static_cast<unsigned char>(t.bytes[id][0])] = id32;
  }
  for (size_t byte = 0; byte < 256; ++byte)
    if (t.byte_token[byte] < 0) return invalid("tokenizer: byte 0x{:02X} has no token", byte);
  PLINTH_TRY(t.merges, resolve_merges(spec, ids));
  t.spec = std::move(spec);
  if (t.pre == PreTokenizer::kLlamaBpe) {
    for (size_t id = 0; id < t.bytes.size(); ++id)
      if (kinds[id] == 0 && !t.bytes[id].empty())
        t.whole.emplace(t.bytes[id], static_cast<int32_t>(id));
  }
  return std::shared_ptr<const Tokenizer>(std::make_shared<BpeTokenizer>(std::move(t)));
}

}  // namespace plinth::text
