// Unigram: of all ways to cut the text into tokens, the one with the highest sum of scores.
//
// One pass from left to right keeps, for each place, the best way to get there. Sums run through
// the whole text and are of the reference's type, so that ties and rounding fall the same way:
// float32 for SentencePiece's models, which takes sums back to zero when they have grown large
// (Model::EncodeOptimized in src/unigram_model.cc of google/sentencepiece 0.2.3), double for
// tokenizer.json (encode_optimized in models/unigram/model.rs of huggingface/tokenizers).
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "text/subwords.h"
#include "text/unicode.h"

namespace plinth::text {
namespace {

// What an unknown character costs below the lowest score.
constexpr float kUnknownPenalty = 10.0f;
// Texts of a vocabulary; the trie takes 32 bytes for each at most.
constexpr size_t kVocabularyBytesMax = size_t{8} << 20;

// Tokens by their bytes, as a hash table of edges (node, byte) -> node.
class Trie {
 public:
  explicit Trie(size_t bytes)
      : slots_(std::bit_ceil(bytes * 2 + 2)), shift_(64 - std::countr_zero(slots_.size())) {}

  void add(std::string_view token, int32_t id) {
    uint32_t node = 0;
    for (const char byte : token) {
      const size_t at = place(node, byte);
      if (slots_[at].edge == kEmpty) slots_[at] = {edge(node, byte), ++nodes_};
      node = slots_[at].node;
    }
    if (ids_.size() <= nodes_) ids_.resize(nodes_ + 1, -1);
    ids_[node] = id;
  }

  static constexpr uint32_t kRoot = 0;
  static constexpr uint32_t kNowhere = ~uint32_t{0};

  uint32_t next(uint32_t node, char byte) const {
    const Slot& slot = slots_[place(node, byte)];
    return slot.edge == kEmpty ? kNowhere : slot.node;
  }

  int32_t id(uint32_t node) const { return node < ids_.size() ? ids_[node] : -1; }

 private:
  static constexpr uint64_t kEmpty = ~uint64_t{0};

  struct Slot {
    uint64_t edge = kEmpty;
    uint32_t node = 0;
  };

  static uint64_t edge(uint32_t node, char byte) {
    return uint64_t{node} << 8 | static_cast<unsigned char>(byte);
  }

  size_t place(uint32_t node, char byte) const {
    const uint64_t wanted = edge(node, byte);
    size_t at = static_cast<size_t>((wanted * 0x9E3779B97F4A7C15u) >> shift_);
    while (slots_[at].edge != kEmpty && slots_[at].edge != wanted)
      at = (at + 1) & (slots_.size() - 1);
    return at;
  }

  std::vector<Slot> slots_;  // at most half full
  int shift_;
  uint32_t nodes_ = 0;
  std::vector<int32_t> ids_;  // by node
};

class Unigram final : public Subwords {
 public:
  Unigram(const TokenizerSpec& spec, const Vocabulary& vocabulary, size_t bytes)
      : trie_(bytes),
        scores_(spec.scores),
        user_defined_(spec.tokens.size()),
        sentencepiece_(spec.sentencepiece),
        unknown_(spec.unknown),
        bytes_(byte_ids(spec, vocabulary)) {
    float lowest = std::numeric_limits<float>::max();
    for (size_t id = 0; id < spec.tokens.size(); ++id) {
      const Role role = vocabulary.roles[id];
      if (role == Role::kPiece) lowest = std::min(lowest, scores_[id]);
      user_defined_[id] = spec.sentencepiece && role == Role::kUserDefined;
      if (role == Role::kPiece || user_defined_[id])
        trie_.add(spec.tokens[id], static_cast<int32_t>(id));
    }
    unknown_score_ = lowest - kUnknownPenalty;
  }

  void encode(std::string_view text, std::vector<int32_t>& out) const override {
    for (; text.size() > kStretchBytesMax; text.remove_prefix(stretch(text)))
      encode_stretch(text.substr(0, stretch(text)), out);
    encode_stretch(text, out);
  }

 private:
  static constexpr uint32_t kNone = ~uint32_t{0};
  // Twelve bytes of table for each byte of text: longer texts go in parts.
  static constexpr size_t kStretchBytesMax = size_t{16} << 20;

  // Beyond this, float sums lose the differences that decide: they begin anew.
  static constexpr float kSumMax = 100'000.0f;

  void encode_stretch(std::string_view text, std::vector<int32_t>& out) const {
    if (sentencepiece_)
      encode_as<float>(text, out);
    else
      encode_as<double>(text, out);
  }

  // The best way to a place: the token that ends there, where it begins, the sum so far.
  template <typename Sum>
  struct Best {
    int32_t id = -1;
    uint32_t begin = kNone;
    Sum sum = 0;
  };

  template <typename Sum>
  void encode_as(std::string_view text, std::vector<int32_t>& out) const {
    std::vector<Best<Sum>> best(text.size() + 1);
    size_t furthest = 0;  // no place beyond has been reached
    const auto offer = [&](size_t end, int32_t id, size_t begin, Sum sum) {
      furthest = std::max(furthest, end);
      if (best[end].begin == kNone || sum > best[end].sum)
        best[end] = {id, static_cast<uint32_t>(begin), sum};
    };
    for (size_t at = 0; at < text.size();) {
      if (sentencepiece_ && std::abs(best[at].sum) > kSumMax) {
        const Sum offset = best[at].sum;
        for (size_t i = at; i <= furthest; ++i)
          if (best[i].begin != kNone) best[i].sum -= offset;
      }
      const Sum so_far = best[at].sum;
      const size_t character =
          std::min(static_cast<size_t>(utf8_at(text, at).length), text.size() - at);
      bool has_character = false;
      uint32_t node = Trie::kRoot;
      for (size_t end = at; end < text.size();) {
        node = trie_.next(node, text[end]);
        if (node == Trie::kNowhere) break;
        ++end;
        const int32_t id = trie_.id(node);
        if (id < 0) continue;
        offer(end, id, at, Sum{score(id, end - at)} + so_far);
        has_character |= end - at == character;
      }
      if (!has_character) offer(at + character, -1, at, Sum{unknown_score_} + so_far);
      at += character;
    }
    append(text, best, out);
  }

  // A user-defined token costs nothing, and a long one less than its parts.
  float score(int32_t id, size_t bytes) const {
    if (!user_defined_[static_cast<size_t>(id)]) return scores_[static_cast<size_t>(id)];
    return static_cast<float>(0.1 * static_cast<double>(bytes - 1));
  }

  // The tokens of the best way to the end.
  template <typename Sum>
  void append(std::string_view text, const std::vector<Best<Sum>>& best,
              std::vector<int32_t>& out) const {
    const size_t first = out.size();
    bool after_unknown = false;
    for (size_t end = text.size(); end > 0; end = best[end].begin) {
      const bool unknown = best[end].id < 0;
      if (!unknown)
        out.push_back(best[end].id);
      else if (!bytes_.empty())
        for (size_t at = end; at > best[end].begin; --at)
          out.push_back(bytes_[static_cast<unsigned char>(text[at - 1])]);
      else if (unknown_ >= 0 && !after_unknown)
        out.push_back(unknown_);
      after_unknown = unknown;
    }
    std::reverse(out.begin() + static_cast<std::ptrdiff_t>(first), out.end());
  }

  // A part that ends where a character ends, after a line if there is one.
  static size_t stretch(std::string_view text) {
    const size_t line = text.rfind('\n', kStretchBytesMax - 1);
    if (line != text.npos && line > kStretchBytesMax / 2) return line + 1;
    size_t end = kStretchBytesMax;
    while (end > kStretchBytesMax - 4 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
      --end;
    return end;
  }

  Trie trie_;
  std::vector<float> scores_;
  std::vector<char> user_defined_;
  bool sentencepiece_;
  int32_t unknown_;
  std::vector<int32_t> bytes_;
  float unknown_score_ = 0;
};

}  // namespace

Result<std::unique_ptr<const Subwords>> make_unigram(const TokenizerSpec& spec,
                                                     const Vocabulary& vocabulary) {
  if (spec.scores.size() != spec.tokens.size())
    return invalid("tokenizer: {} scores for {} tokens", spec.scores.size(), spec.tokens.size());
  size_t bytes = 0;
  for (size_t id = 0; id < spec.tokens.size(); ++id) {
    if (!std::isfinite(spec.scores[id]))
      return invalid("tokenizer: the score of token {} is not a number", id);
    bytes += spec.tokens[id].size();
  }
  if (bytes > kVocabularyBytesMax)
    return make_error(Code::kResourceExhausted, "tokenizer: {} bytes of tokens are more than {}",
                      bytes, kVocabularyBytesMax);
  return std::unique_ptr<const Subwords>(std::make_unique<Unigram>(spec, vocabulary, bytes));
}

}  // namespace plinth::text
