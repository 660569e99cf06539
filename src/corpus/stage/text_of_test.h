// Text for tests of the stages.
#pragma once

#include <string>

#include "core/rng.h"
#include "text/unicode.h"

namespace plinth::corpus {

// A line of n random Chinese characters with a full stop after every twentieth.
inline std::string random_text(Rng& rng, int n) {
  std::string out;
  for (int i = 0; i < n; ++i) {
    text::append_utf8(static_cast<int32_t>(0x4E00 + rng.below(3000)), out);
    if (i % 20 == 19) out += "。";
  }
  return out + "\n";
}

}  // namespace plinth::corpus
