#include "model/weights_digest.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/hash.h"
#include "core/pages.h"

namespace plinth::model {

WeightsDigest::WeightsDigest(std::vector<std::span<const std::byte>> files, bool mapped,
                             std::shared_ptr<const void> storage, DigestMemo memo)
    : files_(std::move(files)),
      mapped_(mapped),
      storage_(std::move(storage)),
      memo_(std::move(memo)) {}

const std::string& WeightsDigest::hex() const {
  std::call_once(once_, [this] { hex_ = memo_ ? memo_([this] { return compute(); }) : compute(); });
  return hex_;
}

std::string WeightsDigest::compute() const {
  constexpr size_t kPiece = size_t{16} << 20;
  Sha256 digest;
  for (const auto file : files_) {
    for (size_t at = 0; at < file.size(); at += kPiece) {
      const auto piece = file.subspan(at, std::min(kPiece, file.size() - at));
      digest.update({reinterpret_cast<const char*>(piece.data()), piece.size()});
      if (mapped_) forget_pages(piece);
    }
  }
  return digest.hex();
}

}  // namespace plinth::model
