// BPE over bytes: the text is split into pieces, each piece starts as its bytes' tokens.
#include <algorithm>
#include <array>
#include <unordered_map>

#include "text/merge_table.h"
#include "text/piece_cache.h"
#include "text/splitter.h"
#include "text/subwords.h"

namespace plinth::text {
namespace {

using TokenIds = std::unordered_map<std::string_view, int32_t>;

class ByteBpe final : public Subwords {
 public:
  ByteBpe(Splitter splitter, std::span<const Merge> merges, std::array<int32_t, 256> byte_token)
      : splitter_(std::move(splitter)), merges_(merges), byte_token_(byte_token) {}

  // Pieces that are tokens are taken as they are. `bytes` outlives this object.
  void take_whole(const Vocabulary& vocabulary) {
    for (size_t id = 0; id < vocabulary.bytes.size(); ++id)
      if (vocabulary.roles[id] == Role::kPiece)
        whole_.emplace(vocabulary.bytes[id], static_cast<int32_t>(id));
  }

  void encode(std::string_view text, std::vector<int32_t>& out) const override {
    PieceCache cache(text.size());
    std::vector<int32_t> ids;
    Splitter::Walk walk(splitter_, text);
    while (!walk.done()) {
      const std::string_view piece = walk.next(kPieceBytesMax);
      if (cache.repeat(piece, out)) continue;
      const size_t first = out.size();
      encode_piece(piece, ids);
      out.insert(out.end(), ids.begin(), ids.end());
      cache.remember(piece, first, ids.size());
    }
  }

 private:
  void encode_piece(std::string_view piece, std::vector<int32_t>& ids) const {
    ids.clear();
    if (!whole_.empty()) {
      if (const auto hit = whole_.find(piece); hit != whole_.end()) {
        ids.push_back(hit->second);
        return;
      }
    }
    for (const char byte : piece) put_byte(static_cast<unsigned char>(byte), ids);
    merges_.apply(ids);
  }

  // A byte without a token becomes U+FFFD.
  void put_byte(unsigned char byte, std::vector<int32_t>& ids) const {
    if (byte_token_[byte] >= 0)
      ids.push_back(byte_token_[byte]);
    else
      ids.insert(ids.end(), {byte_token_[0xEF], byte_token_[0xBF], byte_token_[0xBD]});
  }

  Splitter splitter_;
  MergeTable merges_;
  std::array<int32_t, 256> byte_token_;
  TokenIds whole_;  // views into the tokenizer's vocabulary
};

}  // namespace

Result<std::unique_ptr<const Subwords>> make_byte_bpe(const TokenizerSpec& spec,
                                                      const Vocabulary& vocabulary) {
  TokenIds ids;
  ids.reserve(spec.tokens.size());
  std::array<int32_t, 256> byte_token;
  byte_token.fill(-1);
  for (size_t id = 0; id < spec.tokens.size(); ++id) {
    if (vocabulary.roles[id] != Role::kPiece) continue;
    const auto id32 = static_cast<int32_t>(id);
    ids.emplace(spec.tokens[id], id32);
    const std::string& bytes = vocabulary.bytes[id];
    if (bytes.size() == 1) byte_token[static_cast<unsigned char>(bytes[0])] = id32;
  }
  for (size_t byte = 0; byte < 256; ++byte) {
    // Vocabularies made from text lack the bytes that UTF-8 never has.
    const bool never = byte == 0xC0 || byte == 0xC1 || byte >= 0xF5;
    if (byte_token[byte] < 0 && !never)
      return invalid("tokenizer: byte 0x{:02X} has no token", byte);
  }
  PLINTH_TRY(const auto merges, resolve_merges(spec.merges, [&](std::string_view token) {
               const auto hit = ids.find(token);
               return hit == ids.end() ? -1 : hit->second;
             }));
  PLINTH_TRY(auto splitter, Splitter::create(spec));
  auto model = std::make_unique<ByteBpe>(std::move(splitter), merges, byte_token);
  if (spec.ignore_merges) model->take_whole(vocabulary);
  return std::unique_ptr<const Subwords>(std::move(model));
}

}  // namespace plinth::text
