// Fetching what will be packed next while the processor multiplies.
#pragma once

#include <cstdint>

#include <hwy/cache_control.h>

#include "tensor/cpu/gemm_types.h"

namespace plinth::tensor::cpu {

// The bytes that `cols` columns of a right factor over `depth` are packed from. Reading some before
// every few thousand multiply-adds hides how far away they are.
class Upcoming {
 public:
  Upcoming(const Stored& b, int64_t col, int64_t cols, int64_t depth0, int64_t depth) {
    const auto row = static_cast<int64_t>(b.row_bytes);
    const auto bytes_of = [&b](int64_t n) {
      const auto& t = traits(b.type);
      return (n + t.block - 1) / t.block * static_cast<int64_t>(t.bytes);
    };
    const int64_t side = b.panel != 0 ? b.panel : 1;
    if (b.turned) {
      run_ = b.data + col * row + bytes_of(depth0) * side;
      bytes_ = bytes_of(depth) * side;
      step_ = row * side;
      runs_ = (cols + side - 1) / side;
    } else {
      run_ = b.data + depth0 * row + bytes_of(col);
      bytes_ = bytes_of(cols);
      step_ = row;
      runs_ = b.panel == 0 ? depth : 0;  // a row in panels is all over them
    }
  }

  // Cache lines in all.
  int64_t lines() const { return (bytes_ + 63) / 64 * runs_; }

  void fetch(int64_t lines) {
    for (; lines > 0 && runs_ > 0; --lines) {
      hwy::Prefetch(run_ + at_);
      at_ += 64;
      if (at_ < bytes_) continue;
      at_ = 0;
      run_ += step_;
      --runs_;
    }
  }

 private:
  const uint8_t* run_;
  int64_t at_ = 0;
  int64_t bytes_;  // of a run
  int64_t step_;   // from run to run
  int64_t runs_;   // still to come
};

}  // namespace plinth::tensor::cpu
