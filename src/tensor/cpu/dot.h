// y = x w^T by dot products, for few rows of x (decoding) or few rows of w (adapters).
#pragma once

#include <cstdint>
#include <span>

#include <hwy/cache_control.h>

#include "tensor/ops.h"
#include "tensor/tensor.h"

namespace plinth::tensor::cpu {

// Reads every weight once, in order. Bound by memory for one row of x, by arithmetic from about 16.
void linear_by_dots(ConstMatrix x, Weight w, Matrix y, bool accumulate);

// Where a thread fetches that reads matrices one after the other: some bytes after where it reads.
class Ahead {
 public:
  // One long matrix; past its end, too.
  Ahead() = default;

  // Short ones, as adapters are, which gain from twice as far: when that is past the end of this
  // one, from the next one.
  Ahead(const Weight& w, const Weight& next);

  // The place to fetch while `at` is read.
  const uint8_t* from(const uint8_t* at) const {
    at += bytes_;
    return at < end_ ? at : at + jump_;
  }

  // As many lines as are read from `at` on.
  void fetch(const uint8_t* at, int64_t bytes) const {
    const uint8_t* line = from(at);
    for (const uint8_t* const end = line + bytes; line < end; line += 64) hwy::Prefetch(line);
  }

 private:
  int64_t bytes_ = 8192;
  const uint8_t* end_ = nullptr;
  int64_t jump_ = 0;  // from there to the next matrix
};

// The same on the calling thread alone.
void linear_by_dots(ConstMatrix x, const Weight& w, Matrix y, bool accumulate, const Ahead& ahead);

// Several outputs of one x, as one parallel loop.
void linear_by_dots(ConstMatrix x, std::span<const LinearOutput> outputs);

}  // namespace plinth::tensor::cpu
