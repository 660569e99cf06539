#include "text/piece_counter.h"

#include <algorithm>
#include <bit>

#include "core/hash.h"

namespace plinth::text {

namespace {

constexpr size_t kPieceBytesMax = 96;

// Open addressing over a vector of pieces, which keeps the order of first appearance.
class PieceCounter {
 public:
  explicit PieceCounter(size_t pieces_max) : pieces_max_(pieces_max) { rebuild(1024); }

  void add(std::string_view piece) {
    size_t at = home(piece);
    for (; slots_[at] != 0; at = (at + 1) & (slots_.size() - 1)) {
      CountedPiece& seen = pieces_[slots_[at] - 1];
      if (seen.text == piece) {
        ++seen.count;
        return;
      }
    }
    pieces_.push_back({piece, 1});
    slots_[at] = static_cast<uint32_t>(pieces_.size());
    if (pieces_.size() >= 2 * pieces_max_) {
      prune();
    } else if (pieces_.size() * 2 > slots_.size()) {
      rebuild(slots_.size() * 2);
    }
  }

  std::vector<CountedPiece> take() && {
    if (pieces_.size() > pieces_max_) prune();
    return std::move(pieces_);
  }

 private:
  size_t home(std::string_view piece) const { return xxh3(piece) & (slots_.size() - 1); }

  void rebuild(size_t size) {
    slots_.assign(size, 0);
    for (size_t i = 0; i < pieces_.size(); ++i) {
      size_t at = home(pieces_[i].text);
      while (slots_[at] != 0) at = (at + 1) & (size - 1);
      slots_[at] = static_cast<uint32_t>(i + 1);
    }
  }

  // Keeps the pieces_max_ most frequent, the earlier of equals, in their order.
  void prune() {
    std::vector<int64_t> counts;
    counts.reserve(pieces_.size());
    for (const CountedPiece& piece : pieces_) counts.push_back(piece.count);
    const auto cut = counts.begin() + static_cast<std::ptrdiff_t>(pieces_max_ - 1);
    std::nth_element(counts.begin(), cut, counts.end(), std::greater<>{});
    const int64_t least = *cut;
    size_t room_for_least = pieces_max_;
    for (const CountedPiece& piece : pieces_)
      if (piece.count > least) --room_for_least;
    size_t kept = 0;
    for (const CountedPiece& piece : pieces_) {
      if (piece.count < least) continue;
      if (piece.count == least) {
        if (room_for_least == 0) continue;
        --room_for_least;
      }
      pieces_[kept++] = piece;
    }
    pieces_.resize(kept);
    rebuild(std::bit_ceil(2 * (kept + 1)));
  }

  size_t pieces_max_;
  std::vector<CountedPiece> pieces_;
  std::vector<uint32_t> slots_;  // 1 + index into pieces_, 0 empty; at most half full
};

// The first kPieceBytesMax bytes or fewer, not ending inside a UTF-8 character where there is one.
size_t cut_length(std::string_view piece) {
  if (piece.size() <= kPieceBytesMax) return piece.size();
  size_t length = kPieceBytesMax;
  while (length > kPieceBytesMax - 4 && (static_cast<unsigned char>(piece[length]) & 0xC0) == 0x80)
    --length;
  return length;
}

}  // namespace

std::vector<CountedPiece> count_pieces(std::span<const std::string_view> texts, PreTokenizer pre,
                                       int64_t pieces_max) {
  PieceCounter counter(static_cast<size_t>(std::max<int64_t>(1, pieces_max)));
  for (const std::string_view text : texts) {
    for (size_t at = 0; at < text.size();) {
      const size_t end = piece_end(pre, text, at);
      while (at < end) {
        const size_t length = cut_length(text.substr(at, end - at));
        counter.add(text.substr(at, length));
        at += length;
      }
    }
  }
  return std::move(counter).take();
}

}  // namespace plinth::text
