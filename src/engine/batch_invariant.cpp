#include "engine/batch_invariant.h"

#include <algorithm>

namespace plinth::engine {
namespace {

// `linear` chooses its kernel by the number of rows, and the kernels add in different orders. Up to
// 8 rows there is one kernel for each type, in which a row's sums are its own; more rows go through
// it in pieces. The exception: with Q4_1 and Q5_1 the compiler rounds the sum of the minima
// differently in the variants for one, two and four rows.
int64_t rows_at_once(tensor::DType type) {
  return type == tensor::DType::kQ4_1 || type == tensor::DType::kQ5_1 ? 1 : 8;
}

void linear_by_few_rows(tensor::ConstMatrix x, tensor::Weight w, tensor::Matrix y,
                        bool accumulate) {
  const int64_t piece = rows_at_once(w.type);
  for (int64_t row = 0; row < x.rows; row += piece) {
    const int64_t rows = std::min(piece, x.rows - row);
    tensor::default_ops().linear(x.slice(row, rows), w, y.slice(row, rows), accumulate);
  }
}

void linear_shared_by_few_rows(tensor::ConstMatrix x,
                               std::span<const tensor::LinearOutput> outputs) {
  for (const auto& output : outputs) linear_by_few_rows(x, output.w, output.y, output.accumulate);
}

}  // namespace

const tensor::Ops& batch_invariant_ops() {
  static const tensor::Ops ops = [] {
    tensor::Ops changed = tensor::default_ops();
    changed.linear = linear_by_few_rows;
    changed.linear_shared = linear_shared_by_few_rows;
    return changed;
  }();
  return ops;
}

}  // namespace plinth::engine
