#include "train/math/row_invariant.h"

#include <algorithm>

namespace plinth::train {
namespace {

using tensor::ConstMatrix;
using tensor::Matrix;

// A few rows among as many zeros as make up kRowsTogether.
class Filled {
 public:
  explicit Filled(ConstMatrix x) : x_(buffer_.as(kRowsTogether, x.cols)) {
    buffer_.fill(0.0f);
    for (int64_t r = 0; r < x.rows; ++r) std::copy_n(x.row(r), x.cols, x_.row(r));
  }

  Matrix matrix() const { return x_; }

  void copy_to(Matrix y) const {
    for (int64_t r = 0; r < y.rows; ++r) std::copy_n(x_.row(r), y.cols, y.row(r));
  }

 private:
  tensor::Buffer buffer_;
  Matrix x_;
};

bool few(ConstMatrix x) {
  return x.rows > 0 && x.rows < kRowsTogether;
}

template <auto product>
void by_many_rows(ConstMatrix x, tensor::Weight w, Matrix y, bool accumulate) {
  if (!few(x)) return (tensor::exact_ops().*product)(x, w, y, accumulate);
  const Filled in(x);
  const Filled out(y);
  (tensor::exact_ops().*product)(in.matrix(), w, out.matrix(), accumulate);
  out.copy_to(y);
}

void linear_shared(ConstMatrix x, std::span<const tensor::LinearOutput> outputs) {
  if (!few(x)) return tensor::exact_ops().linear_shared(x, outputs);
  for (const auto& output : outputs)
    by_many_rows<&tensor::Ops::linear>(x, output.w, output.y, output.accumulate);
}

}  // namespace

const tensor::Ops& row_invariant_ops() {
  static const tensor::Ops ops = [] {
    tensor::Ops changed = tensor::exact_ops();
    changed.linear = by_many_rows<&tensor::Ops::linear>;
    changed.linear_shared = linear_shared;
    changed.linear_dx = by_many_rows<&tensor::Ops::linear_dx>;
    return changed;
  }();
  return ops;
}

}  // namespace plinth::train
