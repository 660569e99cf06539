// Where tests find the large reference data that the repository does not carry: the folder named by
// PLINTH_SHARED_DATA, else ../shared/data beside the checkout. Tests skip when it is not there.
#pragma once

#include <zstd.h>

#include <cstdlib>
#include <string>

#include "core/file.h"

namespace plinth::text {

inline Path shared_data(std::string_view name) {
  const char* root = std::getenv("PLINTH_SHARED_DATA");
  const Path folder = root != nullptr ? Path(root) : Path(PLINTH_SOURCE_DIR) / "../shared/data";
  return folder / name;
}

// A file of the shared data, unpacked when it ends in .zst; empty when it is missing or broken.
inline std::string shared_text(std::string_view name) {
  const auto packed = read_file(shared_data(name));
  if (!packed || !name.ends_with(".zst")) return packed ? *packed : std::string();
  std::string out;
  std::string block(size_t{1} << 20, '\0');
  ZSTD_DStream* stream = ZSTD_createDStream();
  ZSTD_inBuffer in{packed->data(), packed->size(), 0};
  while (in.pos < in.size) {
    ZSTD_outBuffer to{block.data(), block.size(), 0};
    if (ZSTD_isError(ZSTD_decompressStream(stream, &to, &in)) != 0) break;
    out.append(block, 0, to.pos);
  }
  ZSTD_freeDStream(stream);
  return out;
}

}  // namespace plinth::text

#define PLINTH_SKIP_WITHOUT(text, name) \
  if ((text).empty())                   \
  GTEST_SKIP() << (name) << " is not in the shared data (set PLINTH_SHARED_DATA)"
