// Pieces met earlier in the same text: direct-mapped, the newest wins. The ids are not copied but
// found again in the output.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/hash.h"

namespace plinth::text {

class PieceCache {
 public:
  // Short texts do without: setting up would cost more than it saves.
  explicit PieceCache(size_t text_bytes) : slots_(text_bytes >= kCachedTextBytes ? kSlots : 0) {}

  // Appends the ids of `piece` when it is known.
  bool repeat(std::string_view piece, std::vector<int32_t>& out) {
    at_ = nullptr;
    if (slots_.empty() || piece.size() > kPieceBytes) return false;
    at_ = &slots_[xxh3(piece) & (kSlots - 1)];
    if (at_->piece != piece) return false;
    const size_t n = at_->n_ids;
    const size_t end = out.size();
    out.resize(end + n);
    for (size_t i = 0; i < n; ++i) out[end + i] = out[at_->first + i];
    return true;
  }

  // Remembers the piece that repeat() has just missed: its ids are out[first...].
  void remember(std::string_view piece, size_t first, size_t n_ids) {
    if (at_ != nullptr) *at_ = {piece, first, n_ids};
  }

 private:
  static constexpr size_t kCachedTextBytes = 4096;
  static constexpr size_t kSlots = 8192;
  static constexpr size_t kPieceBytes = 64;

  struct Slot {
    std::string_view piece;  // lies in the text that is being encoded
    size_t first = 0;
    size_t n_ids = 0;
  };

  std::vector<Slot> slots_;
  Slot* at_ = nullptr;
};

// A single piece longer than this is cut: bounds the memory of one merge (28 bytes a byte). No
// natural text comes near.
inline constexpr size_t kPieceBytesMax = size_t{1} << 20;

}  // namespace plinth::text
