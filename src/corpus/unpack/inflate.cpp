#include "corpus/unpack/inflate.h"

#include <zlib.h>

#include <algorithm>

namespace plinth::corpus {
namespace {

constexpr int kGzipBits = 15 + 16, kZlibBits = 15, kRawBits = -15;

class Inflater {
 public:
  Inflater(std::string_view bytes, int bits) : bytes_(bytes) {
    ready_ = inflateInit2(&stream_, bits) == Z_OK;
  }

  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  ~Inflater() {
    if (ready_) inflateEnd(&stream_);
  }

  // Z_OK, Z_STREAM_END, or what went wrong; appends to out up to bytes_max.
  int run(std::string& out, size_t bytes_max) {
    if (!ready_) return Z_MEM_ERROR;
    char block[1 << 16];
    int status = Z_OK;
    while (status == Z_OK && out.size() < bytes_max) {
      if (stream_.avail_in == 0) {
        // zlib counts in unsigned int and takes its input as non-const.
        const size_t some = std::min<size_t>(bytes_.size() - used_, size_t{1} << 30);
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes_.data() + used_));
        stream_.avail_in = static_cast<uInt>(some);
        used_ += some;
      }
      stream_.next_out = reinterpret_cast<Bytef*>(block);
      stream_.avail_out = static_cast<uInt>(std::min(sizeof block, bytes_max - out.size()));
      const uInt room = stream_.avail_out;
      status = inflate(&stream_, Z_NO_FLUSH);
      out.append(block, room - stream_.avail_out);
    }
    return status;
  }

  size_t used() const { return used_ - stream_.avail_in; }

  const char* message() const { return stream_.msg != nullptr ? stream_.msg : "no detail"; }

 private:
  std::string_view bytes_;
  z_stream stream_{};
  size_t used_ = 0;
  bool ready_ = false;
};

Result<Inflated> inflate_with(std::string_view bytes, size_t at, int bits, size_t bytes_max) {
  Inflated out;
  Inflater inflater(bytes.substr(at), bits);
  // One byte over the bound tells a stream that ends there from one that goes on.
  const int status = inflater.run(out.bytes, bytes_max + 1);
  out.end = at + inflater.used();
  if (out.bytes.size() > bytes_max) return exhausted("unpacks to more than {} bytes", bytes_max);
  if (status == Z_STREAM_END) return out;
  if (status == Z_BUF_ERROR)
    return data_loss("the compressed bytes end too early, {} bytes in", out.bytes.size());
  return data_loss("the compressed bytes are broken: {}", inflater.message());
}

}  // namespace

Result<Inflated> inflate_stream(std::string_view bytes, size_t at, Wrapping wrapping,
                                size_t bytes_max) {
  if (wrapping == Wrapping::kGzip) return inflate_with(bytes, at, kGzipBits, bytes_max);
  auto out = inflate_with(bytes, at, kZlibBits, bytes_max);
  if (out || out.error().code == Code::kResourceExhausted) return out;
  auto raw = inflate_with(bytes, at, kRawBits, bytes_max);
  return raw ? std::move(raw) : std::move(out);
}

std::string gzip_head(std::string_view bytes, size_t at, size_t bytes_wanted) {
  std::string out;
  Inflater(bytes.substr(at), kGzipBits).run(out, bytes_wanted);
  return out;
}

}  // namespace plinth::corpus
