// Incremental BPE training: every pair knows its count and the words it occurs in, so one merge
// touches only those words. A heap finds the most frequent pair; its entries go stale when counts
// fall and are corrected when they come to the top.
#include <algorithm>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "core/interrupt.h"
#include "text/byte_alphabet.h"
#include "text/piece_counter.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer.h"

namespace plinth::text {

namespace {

constexpr int32_t kBytes = 256;

// A pair seen once is not a pattern.
constexpr int64_t kCountMin = 2;

struct Pair {
  int32_t left = 0;
  int32_t right = 0;
  int64_t count = 0;
  bool merged = false;
  std::vector<uint32_t> words;  // where it may occur, ascending
};

// The distinct pieces as symbols, and the table of adjacent pairs.
class Corpus {
 public:
  explicit Corpus(const std::vector<CountedPiece>& pieces) {
    size_t bytes = 0;
    for (const CountedPiece& piece : pieces) bytes += piece.text.size();
    symbols_.reserve(bytes);
    words_.reserve(pieces.size());
    for (const CountedPiece& piece : pieces) {
      if (piece.text.size() < 2) continue;
      const auto word = static_cast<uint32_t>(words_.size());
      words_.push_back({symbols_.size(), static_cast<uint32_t>(piece.text.size()), piece.count});
      for (const char byte : piece.text) symbols_.push_back(static_cast<unsigned char>(byte));
      const int32_t* s = symbols_.data() + words_.back().first;
      for (size_t i = 0; i + 1 < piece.text.size(); ++i) add(s[i], s[i + 1], word, piece.count);
    }
  }

  size_t n_pairs() const { return pairs_.size(); }

  const Pair& pair(size_t index) const { return pairs_[index]; }

  // Replaces the pair by `result` wherever it occurs. `grown` receives the pairs whose count rose,
  // some of them twice.
  void merge(size_t index, int32_t result, std::vector<uint32_t>& grown) {
    const int32_t left = pairs_[index].left;
    const int32_t right = pairs_[index].right;
    const std::vector<uint32_t> where = std::move(pairs_[index].words);
    pairs_[index].words = {};
    pairs_[index].merged = true;
    for (const uint32_t word : where) merge_in(word, left, right, result, grown);
    pairs_[index].count = 0;
  }

 private:
  struct Word {
    size_t first;  // of its symbols
    uint32_t length;
    int64_t count;
  };

  uint32_t find_or_insert(int32_t left, int32_t right) {
    const uint64_t key = uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
    const auto [it, fresh] = index_.try_emplace(key, static_cast<uint32_t>(pairs_.size()));
    if (fresh) pairs_.push_back({left, right, 0, false, {}});
    return it->second;
  }

  uint32_t add(int32_t left, int32_t right, uint32_t word, int64_t count) {
    const uint32_t index = find_or_insert(left, right);
    Pair& pair = pairs_[index];
    pair.count += count;
    if (!pair.merged && (pair.words.empty() || pair.words.back() != word))
      pair.words.push_back(word);
    return index;
  }

  void merge_in(uint32_t word, int32_t left, int32_t right, int32_t result,
                std::vector<uint32_t>& grown) {
    Word& w = words_[word];
    int32_t* s = symbols_.data() + w.first;
    uint32_t out = 0;
    for (uint32_t in = 0; in < w.length;) {
      if (in + 1 == w.length || s[in] != left || s[in + 1] != right) {
        s[out++] = s[in++];
        continue;
      }
      if (out > 0) {
        pairs_[find_or_insert(s[out - 1], left)].count -= w.count;
        grown.push_back(add(s[out - 1], result, word, w.count));
      }
      if (in + 2 < w.length) {
        pairs_[find_or_insert(right, s[in + 2])].count -= w.count;
        grown.push_back(add(result, s[in + 2], word, w.count));
      }
      s[out++] = result;
      in += 2;
    }
    w.length = out;
  }

  std::vector<int32_t> symbols_;
  std::vector<Word> words_;
  std::vector<Pair> pairs_;
  std::unordered_map<uint64_t, uint32_t> index_;
};

struct HeapEntry {
  int64_t count = 0;
  int32_t left = 0;
  int32_t right = 0;
  uint32_t index = 0;

  // Most frequent on top, then the smaller ids.
  bool operator<(const HeapEntry& other) const {
    if (count != other.count) return count < other.count;
    if (left != other.left) return left > other.left;
    return right > other.right;
  }
};

class Trainer {
 public:
  Trainer(const std::vector<CountedPiece>& pieces, const BpeTraining& options)
      : corpus_(pieces), forbidden_(options.special.begin(), options.special.end()) {
    for (int32_t byte = 0; byte < kBytes; ++byte) {
      bytes_.emplace_back(1, static_cast<char>(byte));
      ids_.emplace(bytes_.back(), byte);
    }
    for (size_t i = 0; i < corpus_.n_pairs(); ++i) push(static_cast<uint32_t>(i));
  }

  Status run(size_t n_tokens) {
    std::vector<uint32_t> grown;
    while (bytes_.size() < n_tokens && !heap_.empty()) {
      const HeapEntry top = heap_.top();
      heap_.pop();
      const Pair& pair = corpus_.pair(top.index);
      if (pair.merged) continue;
      if (pair.count != top.count) {
        // Fallen counts come back at their true place; a risen one has a newer entry already.
        if (pair.count < top.count) push(top.index);
        continue;
      }
      std::string joined =
          bytes_[static_cast<size_t>(pair.left)] + bytes_[static_cast<size_t>(pair.right)];
      if (forbidden_.contains(joined)) continue;
      merges_.push_back(to_byte_alphabet(bytes_[static_cast<size_t>(pair.left)]) + " " +
                        to_byte_alphabet(bytes_[static_cast<size_t>(pair.right)]));
      // Two merges may spell the same token (ab+c, a+bc): they share its id.
      const auto [it, fresh] = ids_.try_emplace(joined, static_cast<int32_t>(bytes_.size()));
      if (fresh) bytes_.push_back(std::move(joined));
      grown.clear();
      corpus_.merge(top.index, it->second, grown);
      std::sort(grown.begin(), grown.end());
      grown.erase(std::unique(grown.begin(), grown.end()), grown.end());
      for (const uint32_t index : grown) push(index);
      PLINTH_TRY(check_interrupted());
    }
    return {};
  }

  TokenizerSpec spec(const BpeTraining& options) && {
    TokenizerSpec spec;
    for (const std::string& token : bytes_) spec.tokens.push_back(to_byte_alphabet(token));
    for (const std::string& token : options.special) {
      spec.special.push_back(static_cast<int32_t>(spec.tokens.size()));
      spec.tokens.push_back(token);
    }
    spec.merges = std::move(merges_);
    spec.pre = options.pre;
    return spec;
  }

 private:
  void push(uint32_t index) {
    const Pair& pair = corpus_.pair(index);
    if (pair.merged || pair.count < kCountMin) return;
    heap_.push({pair.count, pair.left, pair.right, index});
  }

  Corpus corpus_;
  std::unordered_set<std::string> forbidden_;  // literal texts that no merge may spell
  std::vector<std::string> bytes_;             // by id
  std::unordered_map<std::string, int32_t> ids_;
  std::vector<std::string> merges_;
  std::priority_queue<HeapEntry> heap_;
};

Status check(const BpeTraining& options) {
  const auto least = static_cast<int64_t>(options.special.size()) + kBytes;
  if (options.vocabulary < least || options.vocabulary > (1 << 20)) {
    return invalid(
        "bpe training: vocabulary {} is outside {}..{} (256 bytes and {} special tokens)",
        options.vocabulary, least, 1 << 20, options.special.size());
  }
  if (options.pieces_max < 1 || options.pieces_max > (int64_t{1} << 30))
    return invalid("bpe training: pieces_max {} is outside 1..2^30", options.pieces_max);
  std::unordered_set<std::string_view> seen;
  for (const std::string& token : options.special)
    if (token.empty() || !seen.insert(token).second)
      return invalid("bpe training: special token '{}' is empty or there twice", token);
  return {};
}

}  // namespace

Result<TokenizerSpec> train_bpe(std::span<const std::string_view> texts,
                                const BpeTraining& options) {
  PLINTH_TRY(check(options));
  const auto pre = pre_tokenizer_named(options.pre);
  if (!pre) return invalid("bpe training: pre-tokenizer '{}' is unknown", options.pre);
  Trainer trainer(count_pieces(texts, *pre, options.pieces_max), options);
  PLINTH_TRY(trainer.run(static_cast<size_t>(options.vocabulary) - options.special.size()));
  return std::move(trainer).spec(options);
}

}  // namespace plinth::text
