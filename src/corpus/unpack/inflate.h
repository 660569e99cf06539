// zlib's three wrappings, into memory, with a bound.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/result.h"

namespace plinth::corpus {

struct Inflated {
  std::string bytes;
  size_t end = 0;  // where the stream ended in the input
};

enum class Wrapping {
  kGzip,     // one member
  kDeflate,  // zlib's header, or none: "deflate" in HTTP is both
};

// Unpacks the stream that begins at `at`, at most `bytes_max` bytes: more is kResourceExhausted, a
// broken or cut off stream kDataLoss.
Result<Inflated> inflate_stream(std::string_view bytes, size_t at, Wrapping wrapping,
                                size_t bytes_max);

// The first bytes of what the gzip member at `at` holds: fewer when it is short or broken.
std::string gzip_head(std::string_view bytes, size_t at, size_t bytes_wanted);

}  // namespace plinth::corpus
