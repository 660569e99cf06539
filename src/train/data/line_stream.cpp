#include "train/data/line_stream.h"

#include <zstd.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace plinth::train {
namespace {

constexpr size_t kLineBytesMax = size_t{64} << 20;
constexpr int kWindowLogMax = 27;
constexpr size_t kChunkBytes = size_t{1} << 20;

struct FreeStream {
  void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
};

}  // namespace

struct LineStream::Impl {
  Path path;
  MappedFile file;
  std::string_view input;                          // of the file, not yet consumed
  std::unique_ptr<ZSTD_DStream, FreeStream> zstd;  // null: plain text
  size_t zstd_wants = 0;                           // 0: at the end of a frame
  std::string text;                                // decompressed, from `begin` not yet handed out
  size_t begin = 0;

  // Appends more text; false at the end of the input.
  Result<bool> refill() {
    text.erase(0, begin);
    begin = 0;
    return zstd == nullptr ? refill_plain() : refill_zstd();
  }

  bool refill_plain() {
    const size_t n = std::min(kChunkBytes, input.size());
    text.append(input.substr(0, n));
    input.remove_prefix(n);
    return n > 0;
  }

  // The stream may hold back text after it has eaten all input, so the end is where a frame is over
  // and there is nothing left to eat.
  Result<bool> refill_zstd() {
    if (input.empty() && zstd_wants == 0) return false;
    const size_t had = text.size();
    text.resize(had + kChunkBytes);
    ZSTD_outBuffer out{text.data() + had, kChunkBytes, 0};
    ZSTD_inBuffer in{input.data(), input.size(), 0};
    zstd_wants = ZSTD_decompressStream(zstd.get(), &out, &in);
    text.resize(had + out.pos);
    if (ZSTD_isError(zstd_wants) != 0)
      return data_loss("{}: zstd: {}", path.string(), ZSTD_getErrorName(zstd_wants));
    if (input.empty() && out.pos == 0)
      return data_loss("{}: the zstd stream is cut off", path.string());
    input.remove_prefix(in.pos);
    return true;
  }
};

LineStream::LineStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

LineStream::LineStream(LineStream&&) noexcept = default;
LineStream::~LineStream() = default;

Result<LineStream> LineStream::open(const Path& path) {
  PLINTH_TRY(auto file, MappedFile::open(path));
  auto impl = std::make_unique<Impl>(Impl{path, std::move(file), {}, nullptr, 0, {}, 0});
  impl->input = impl->file.text();
  if (path.extension() == ".zst") {
    impl->zstd.reset(ZSTD_createDStream());
    if (impl->zstd == nullptr) return exhausted("{}: no memory for a zstd stream", path.string());
    ZSTD_DCtx_setParameter(impl->zstd.get(), ZSTD_d_windowLogMax, kWindowLogMax);
  }
  return LineStream(std::move(impl));
}

Result<bool> LineStream::next(std::string& line) {
  size_t searched = impl_->begin;
  while (true) {
    const size_t end = impl_->text.find('\n', searched);
    if (end != std::string::npos) {
      line.assign(impl_->text, impl_->begin, end - impl_->begin);
      impl_->begin = end + 1;
      break;
    }
    const size_t pending = impl_->text.size() - impl_->begin;
    if (pending > kLineBytesMax)
      return invalid("{}:{}: a line longer than {} bytes", impl_->path.string(), line_number_ + 1,
                     kLineBytesMax);
    PLINTH_TRY(const bool more, impl_->refill());
    searched = pending;  // refill moved what is pending to the front
    if (more) continue;
    if (impl_->text.empty()) return false;
    line = std::exchange(impl_->text, {});
    break;
  }
  ++line_number_;
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return true;
}

}  // namespace plinth::train
