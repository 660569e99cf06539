// BPE over characters, as SentencePiece does it: the text starts as its characters, and the pair
// whose token has the highest score (the merge of lowest rank) becomes one, again and again.
//
// The reference works on the whole text with one heap. Here the text is cut first wherever two
// neighbouring characters stand together in no token: no merge can cross such a place, so the
// result is the same, and the pieces are short, mostly words, and often seen before.
// Source: src/bpe_model.cc of google/sentencepiece.
#include <algorithm>
#include <bit>
#include <numeric>
#include <unordered_map>

#include "text/merge_table.h"
#include "text/normalizer.h"
#include "text/piece_cache.h"
#include "text/subwords.h"
#include "text/unicode.h"

namespace plinth::text {
namespace {

// Splitting a token at each of its characters hashes both halves: bounds what a hostile vocabulary
// may cost. The longest real tokens are runs of a few dozen characters.
constexpr size_t kTokenBytesMax = 512;
constexpr size_t kMergesMax = size_t{1} << 23;

constexpr int32_t kCodes = 0x110000;

// Which characters stand next to each other in some token.
class Neighbours {
 public:
  void add(int32_t left, int32_t right) {
    if (left < 128 && right < 128)
      ascii_[static_cast<size_t>(left * 128 + right)] = true;
    else
      pairs_.push_back(key(left, right));
  }

  void freeze() {
    std::sort(pairs_.begin(), pairs_.end());
    pairs_.erase(std::unique(pairs_.begin(), pairs_.end()), pairs_.end());
    const size_t size = std::bit_ceil(pairs_.size() * 2 + 2);
    shift_ = 64 - std::countr_zero(size);
    table_.assign(size, kEmpty);
    for (const uint64_t pair : pairs_) {
      size_t at = home(pair);
      while (table_[at] != kEmpty) at = (at + 1) & (size - 1);
      table_[at] = pair;
    }
    pairs_ = {};
  }

  bool has(int32_t left, int32_t right) const {
    if (left < 128 && right < 128) return ascii_[static_cast<size_t>(left * 128 + right)];
    const uint64_t pair = key(left, right);
    for (size_t at = home(pair);; at = (at + 1) & (table_.size() - 1)) {
      if (table_[at] == pair) return true;
      if (table_[at] == kEmpty) return false;
    }
  }

 private:
  static constexpr uint64_t kEmpty = ~uint64_t{0};

  static uint64_t key(int32_t left, int32_t right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  }

  size_t home(uint64_t pair) const {
    return static_cast<size_t>((pair * 0x9E3779B97F4A7C15u) >> shift_);
  }

  std::vector<uint64_t> pairs_;  // until freeze()
  std::vector<uint64_t> table_;  // open addressing, at most half full
  std::vector<bool> ascii_ = std::vector<bool>(128 * 128);
  int shift_ = 63;
};

// Ids of characters. One without a token of its own that occurs inside tokens gets an id beyond the
// vocabulary, so that merges can name it.
class Symbols {
 public:
  explicit Symbols(int32_t size) : next_(size), by_code_(kCodes, -1) {}

  void set(int32_t code, int32_t id) { by_code_[static_cast<size_t>(code)] = id; }

  int32_t need(int32_t code) {
    int32_t& id = by_code_[static_cast<size_t>(code)];
    if (id < 0) id = next_++;
    return id;
  }

  // -1: in no token at all.
  int32_t find(int32_t code) const { return by_code_[static_cast<size_t>(code)]; }

 private:
  int32_t next_;
  std::vector<int32_t> by_code_;
};

std::vector<size_t> character_starts(std::string_view text) {
  std::vector<size_t> starts;
  for (size_t at = 0; at < text.size(); at += static_cast<size_t>(utf8_at(text, at).length))
    starts.push_back(at);
  return starts;
}

class Builder {
 public:
  Builder(const TokenizerSpec& spec, const Vocabulary& vocabulary)
      : spec_(spec), roles_(vocabulary.roles), symbols_(static_cast<int32_t>(spec.tokens.size())) {}

  // Tokens that text can become or pass through.
  Status index() {
    for (size_t id = 0; id < spec_.tokens.size(); ++id) {
      const bool inside = spec_.sentencepiece && roles_[id] == Role::kUserDefined;
      if (roles_[id] != Role::kPiece && roles_[id] != Role::kUnused && !inside) continue;
      const std::string_view token = spec_.tokens[id];
      if (token.size() > kTokenBytesMax) {
        // Found whole or not at all: no real text holds it.
        if (inside) continue;
        return invalid("tokenizer: token {} of {} bytes is longer than {}", id, token.size(),
                       kTokenBytesMax);
      }
      if (!is_valid_utf8(token)) return invalid("tokenizer: token {} is not UTF-8", id);
      ids_.emplace(token, static_cast<int32_t>(id));
      const Utf8Char first = utf8_at(token, 0);
      if (static_cast<size_t>(first.length) == token.size())
        symbols_.set(first.code, static_cast<int32_t>(id));
    }
    for (const auto& [token, id] : ids_) {
      int32_t before = -1;
      for (size_t at = 0; at < token.size();) {
        const Utf8Char c = utf8_at(token, at);
        at += static_cast<size_t>(c.length);
        if (before >= 0) {
          neighbours_.add(before, c.code);
          (void)symbols_.need(c.code);
          (void)symbols_.need(before);
        }
        before = c.code;
      }
    }
    neighbours_.freeze();
    return {};
  }

  Result<std::vector<Merge>> merges() {
    if (!spec_.merges.empty())
      return resolve_merges(spec_.merges, [&](std::string_view token) { return find(token); });
    return merges_of_scores();
  }

  Neighbours neighbours_;

  const Symbols& symbols() const { return symbols_; }

 private:
  // -1 when text cannot become this.
  int32_t find(std::string_view token) const {
    if (const auto hit = ids_.find(token); hit != ids_.end()) return hit->second;
    if (token.empty()) return -1;
    const Utf8Char c = utf8_at(token, 0);
    return static_cast<size_t>(c.length) == token.size() && c.code >= 0 ? symbols_.find(c.code)
                                                                        : -1;
  }

  // SentencePiece joins any two neighbours whose text is a token: each way to cut a token in two.
  Result<std::vector<Merge>> merges_of_scores() const {
    std::vector<int32_t> order;
    for (const auto& [token, id] : ids_)
      if (character_starts(token).size() > 1) order.push_back(id);
    std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
      const float left = score(a), right = score(b);
      return left != right ? left > right : a < b;
    });
    std::vector<Merge> merges;
    int32_t rank = 0;
    for (size_t i = 0; i < order.size(); ++i) {
      if (i > 0 && score(order[i]) != score(order[i - 1])) ++rank;
      const std::string_view token = spec_.tokens[static_cast<size_t>(order[i])];
      for (const size_t cut : character_starts(token)) {
        if (cut == 0) continue;
        const int32_t left = find(token.substr(0, cut)), right = find(token.substr(cut));
        if (left < 0 || right < 0) continue;
        if (merges.size() == kMergesMax)
          return make_error(Code::kResourceExhausted, "tokenizer: more than {} merges", kMergesMax);
        merges.push_back({left, right, order[i], rank});
      }
    }
    return merges;
  }

  float score(int32_t id) const { return spec_.scores[static_cast<size_t>(id)]; }

  const TokenizerSpec& spec_;
  const std::vector<Role>& roles_;
  std::unordered_map<std::string_view, int32_t> ids_;
  Symbols symbols_;
};

class CharBpe final : public Subwords {
 public:
  CharBpe(const TokenizerSpec& spec, const Vocabulary& vocabulary, Builder& builder,
          std::span<const Merge> merges)
      : roles_(&vocabulary.roles),
        tokens_(static_cast<int32_t>(spec.tokens.size())),
        neighbours_(std::move(builder.neighbours_)),
        symbols_(builder.symbols()),
        merges_(merges),
        unknown_(spec.unknown),
        fuse_unknown_(spec.fuse_unknown),
        words_(spec.words),
        bytes_(byte_ids(spec, vocabulary)) {
    for (size_t id = 0; id < spec.tokens.size(); ++id) {
      lengths_.push_back(static_cast<uint32_t>(spec.tokens[id].size()));
    }
    for (const Merge& merge : merges) {
      if ((*roles_)[static_cast<size_t>(merge.result)] != Role::kUnused) continue;
      const auto [it, fresh] = apart_.try_emplace(merge.result, merge);
      if (!fresh && merge.rank < it->second.rank) it->second = merge;
    }
  }

  void encode(std::string_view text, std::vector<int32_t>& out) const override {
    PieceCache cache(text.size());
    std::vector<int32_t> ids;
    const size_t begin = out.size();
    for (size_t at = 0; at < text.size();) {
      const std::string_view piece = next_piece(text, at, ids);
      at += piece.size();
      const size_t first = out.size();
      if (!cache.repeat(piece, out)) {
        merges_.apply(ids);
        put(ids, piece, out);
        const size_t n_ids = out.size() - first;
        if (fuse_unknown_) fuse(begin, first, out);
        // A piece that lost its first id to the piece before is not what it is elsewhere.
        if (out.size() - first == n_ids) cache.remember(piece, first, n_ids);
      } else if (fuse_unknown_) {
        fuse(begin, first, out);
      }
    }
  }

 private:
  // Up to where no merge can cross; its characters' ids go to `ids`.
  std::string_view next_piece(std::string_view text, size_t begin,
                              std::vector<int32_t>& ids) const {
    ids.clear();
    int32_t before = -1;
    size_t at = begin;
    while (at < text.size() && at - begin < kPieceBytesMax) {
      const Utf8Char c = utf8_at(text, at);
      if (before >= 0) {
        if (c.code < 0 || !neighbours_.has(before, c.code)) break;
        if (words_ && c.code == 0x2581) break;
      }
      ids.push_back(c.code >= 0 ? symbols_.find(c.code) : -1);
      before = c.code;
      at += static_cast<size_t>(c.length);
      if (before < 0) break;
    }
    return text.substr(begin, at - begin);
  }

  void put(const std::vector<int32_t>& ids, std::string_view piece,
           std::vector<int32_t>& out) const {
    size_t at = 0;
    for (const int32_t id : ids) {
      const bool token = id >= 0 && id < tokens_;
      const size_t length = token ? lengths_[static_cast<size_t>(id)]
                                  : static_cast<size_t>(utf8_at(piece, at).length);
      put_symbol(token ? id : -1, piece.substr(at, length), out);
      at += length;
    }
  }

  // -1: a character that is no token.
  void put_symbol(int32_t id, std::string_view text, std::vector<int32_t>& out) const {
    if (id >= 0 && (*roles_)[static_cast<size_t>(id)] == Role::kUnused) {
      if (const auto split = apart_.find(id); split != apart_.end()) {
        const Merge& merge = split->second;
        const size_t cut = merge.left < tokens_ ? lengths_[static_cast<size_t>(merge.left)]
                                                : static_cast<size_t>(utf8_at(text, 0).length);
        put_symbol(merge.left < tokens_ ? merge.left : -1, text.substr(0, cut), out);
        put_symbol(merge.right < tokens_ ? merge.right : -1, text.substr(cut), out);
        return;
      }
      id = -1;
    }
    if (id >= 0) {
      out.push_back(id);
    } else if (!bytes_.empty()) {
      for (const char byte : text) out.push_back(bytes_[static_cast<unsigned char>(byte)]);
    } else if (unknown_ >= 0) {
      out.push_back(unknown_);
    }
  }

  // Runs of unknown tokens within out[begin...], of which those from `first` on are new.
  void fuse(size_t begin, size_t first, std::vector<int32_t>& out) const {
    size_t kept = first;
    for (size_t i = first; i < out.size(); ++i) {
      if (out[i] == unknown_ && kept > begin && out[kept - 1] == unknown_) continue;
      out[kept++] = out[i];
    }
    out.resize(kept);
  }

  const std::vector<Role>* roles_;  // the tokenizer's; outlives this
  int32_t tokens_;
  Neighbours neighbours_;
  Symbols symbols_;
  MergeTable merges_;
  int32_t unknown_;
  bool fuse_unknown_;
  bool words_;
  std::vector<int32_t> bytes_;
  std::vector<uint32_t> lengths_;             // bytes of each token's text
  std::unordered_map<int32_t, Merge> apart_;  // how an unused token is taken apart again
};

}  // namespace

std::vector<int32_t> byte_ids(const TokenizerSpec& spec, const Vocabulary& vocabulary) {
  if (!spec.byte_fallback) return {};
  std::vector<int32_t> ids(256, -1);
  for (size_t id = 0; id < vocabulary.roles.size(); ++id) {
    if (vocabulary.roles[id] == Role::kByte)
      ids[static_cast<unsigned char>(vocabulary.bytes[id][0])] = static_cast<int32_t>(id);
  }
  return ids;
}

std::vector<std::string> merges_of_scores(const TokenizerSpec& spec, const Vocabulary& vocabulary) {
  Builder builder(spec, vocabulary);
  std::vector<std::string> out;
  if (!builder.index()) return out;
  const auto merges = builder.merges();
  if (!merges) return out;
  const auto size = static_cast<int32_t>(spec.tokens.size());
  for (const Merge& merge : *merges) {
    // This file has no words for characters that are no tokens.
    if (merge.left >= size || merge.right >= size) continue;
    out.push_back(spec.tokens[static_cast<size_t>(merge.left)] + " " +
                  spec.tokens[static_cast<size_t>(merge.right)]);
  }
  return out;
}

Result<std::unique_ptr<const Subwords>> make_bpe(const TokenizerSpec& spec,
                                                 const Vocabulary& vocabulary) {
  if (spec.ignore_merges)
    return make_error(Code::kUnimplemented,
                      "tokenizer: ignore_merges without byte-level BPE is not supported");
  if (spec.merges.empty() && spec.scores.size() != spec.tokens.size())
    return invalid("tokenizer: {} scores for {} tokens and no merges", spec.scores.size(),
                   spec.tokens.size());
  Builder builder(spec, vocabulary);
  PLINTH_TRY(builder.index());
  PLINTH_TRY(const auto merges, builder.merges());
  return std::unique_ptr<const Subwords>(
      std::make_unique<CharBpe>(spec, vocabulary, builder, merges));
}

}  // namespace plinth::text
