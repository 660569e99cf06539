#include <algorithm>

#include "text/tokenizer.h"
#include "text/unicode.h"

namespace plinth::text {

namespace {

// Bytes at the end of `text` that could be the start of a character that the next token completes.
size_t unfinished_bytes(std::string_view text) {
  for (size_t back = 1; back <= std::min<size_t>(3, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const size_t want = byte >= 0xF0 && byte <= 0xF4   ? 4
                        : byte >= 0xE0 && byte <= 0xEF ? 3
                        : byte >= 0xC2 && byte <= 0xDF ? 2
                                                       : 1;
    return want > back ? back : 0;
  }
  return 0;
}

}  // namespace

std::string StreamDecoder::push(int32_t id) {
  const std::span<const int32_t> one(&id, 1);
  pending_ += begun_ ? tokenizer_->decode_more(one) : tokenizer_->decode(one);
  const bool blank = tokenizer_->spec().trim_spaces ? pending_.empty() : tokenizer_->is_special(id);
  begun_ = begun_ || !blank;
  const size_t keep = unfinished_bytes(pending_);
  std::string ready = to_valid_utf8(std::string_view(pending_).substr(0, pending_.size() - keep));
  pending_.erase(0, pending_.size() - keep);
  return ready;
}

std::string StreamDecoder::finish() {
  std::string rest = to_valid_utf8(pending_);
  pending_.clear();
  return rest;
}

}  // namespace plinth::text
