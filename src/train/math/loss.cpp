#include "train/math/loss.h"

#include <algorithm>
#include <cstring>

namespace plinth::train {

using tensor::Matrix;

// The next rows with a target, brought together. `size` of them.
struct ChunkedLoss::Chunk {
  int64_t size = 0;
  Matrix hidden;                  // [size, width]
  Matrix logits;                  // [size, vocabulary], not yet computed
  std::span<const int32_t> rows;  // of the batch
  std::span<const int32_t> targets;
  std::span<const float> weights;
};

namespace {

constexpr int64_t kChunkFloats = int64_t{16} << 20;
constexpr int64_t kChunkRowsMin = 512;
constexpr int64_t kChunkRowsMinQuantised = 256;
constexpr int64_t kChunkRowsMax = 1024;

int64_t chunk_rows(tensor::DType head, int64_t vocabulary) {
  const int64_t least = tensor::is_quantised(head) ? kChunkRowsMinQuantised : kChunkRowsMin;
  return std::clamp(kChunkFloats / vocabulary, least, kChunkRowsMax);
}

std::vector<int32_t> rows_with_target(std::span<const int32_t> targets) {
  std::vector<int32_t> rows;
  rows.reserve(targets.size());
  for (size_t r = 0; r < targets.size(); ++r)
    if (targets[r] >= 0) rows.push_back(static_cast<int32_t>(r));
  return rows;
}

double weighted_sum(std::span<const float> losses, std::span<const float> weights) {
  double sum = 0;
  for (size_t i = 0; i < losses.size(); ++i) sum += double{losses[i]} * double{weights[i]};
  return sum;
}

}  // namespace

int64_t ChunkedLoss::rows_at_once(const tensor::Weight& head) const {
  return chunk_rows_ > 0 ? chunk_rows_ : chunk_rows(head.type, head.rows);
}

int64_t ChunkedLoss::bytes() const {
  int64_t floats = 0;
  for (const auto* buffer : {&hidden_, &dhidden_, &logits_, &anchor_hidden_, &anchor_logits_})
    floats += buffer->size();
  return floats * static_cast<int64_t>(sizeof(float));
}

int64_t ChunkedLoss::bytes_of(const model::ModelConfig& config, tensor::DType head, int64_t rows) {
  const int64_t chunk = std::min(rows, chunk_rows(head, config.vocabulary));
  return chunk * (2 * config.width + config.vocabulary) * static_cast<int64_t>(sizeof(float));
}

ChunkedLoss::Chunk ChunkedLoss::gather(const LossInput& input, size_t first, size_t rows) {
  const size_t n = std::min(rows, rows_.size() - first);
  const auto n_rows = static_cast<int64_t>(n);
  const int64_t width = input.hidden.cols;
  Chunk chunk{n_rows, hidden_.as(n_rows, width), logits_.as(n_rows, input.head.rows), {}, {}, {}};
  targets_.resize(n);
  weights_.resize(n);
  losses_.resize(n);
  for (size_t i = 0; i < n; ++i) {
    const auto row = static_cast<size_t>(rows_[first + i]);
    std::memcpy(chunk.hidden.row(static_cast<int64_t>(i)),
                input.hidden.row(static_cast<int64_t>(row)),
                static_cast<size_t>(width) * sizeof(float));
    targets_[i] = input.targets[row];
    weights_[i] = input.weights[row];
  }
  chunk.rows = std::span<const int32_t>(rows_).subspan(first, n);
  chunk.targets = targets_;
  chunk.weights = weights_;
  return chunk;
}

// A part's rows are cut after each so many; then as many pieces as fit make up a chunk.
void ChunkedLoss::begin(const LossInput& input) {
  rows_ = rows_with_target(input.targets);
  ends_.clear();
  const auto most = static_cast<size_t>(rows_at_once(input.head));
  size_t chunk = 0;  // where the current one begins
  const auto take = [&](size_t begin, size_t end) {
    for (; begin < end; begin = std::min(begin + most, end)) {
      const size_t piece = std::min(begin + most, end);
      if (ends_.empty() || piece - chunk > most) {
        chunk = begin;
        ends_.push_back(piece);
      } else {
        ends_.back() = piece;
      }
    }
  };
  size_t begin = 0;
  for (const int32_t start : input.part_starts) {
    const auto end = static_cast<size_t>(std::ranges::lower_bound(rows_, start) - rows_.begin());
    take(begin, end);
    begin = end;
  }
  take(begin, rows_.size());
}

ChunkedLoss::Chunk ChunkedLoss::logits(const LossInput& input, size_t first, size_t rows) {
  const Chunk chunk = gather(input, first, rows);
  ops_->linear(chunk.hidden, input.head, chunk.logits, /*accumulate=*/false);
  if (input.adapter != nullptr) input.adapter->add_head(chunk.rows, chunk.hidden, chunk.logits);
  return chunk;
}

double ChunkedLoss::with_gradient(const LossInput& input, Matrix dhidden, Matrix dhead,
                                  AdapterBackwardSeam* learner) {
  begin(input);
  const int64_t width = input.hidden.cols;
  if (rows_.size() < input.targets.size())
    for (int64_t r = 0; r < dhidden.rows; ++r) std::fill_n(dhidden.row(r), width, 0.0f);
  std::fill(input.row_losses.begin(), input.row_losses.end(), 0.0f);
  double sum = 0;
  size_t first = 0;
  for (const size_t end : ends_) {
    const Chunk chunk = logits(input, first, end - first);
    ops_->cross_entropy(chunk.logits, chunk.targets, chunk.weights, losses_);
    sum += weighted_sum(losses_, chunk.weights);
    scatter_losses(input, first);
    if (input.anchor.data != nullptr) subtract_anchor(input, first, chunk);
    const Matrix dchunk = dhidden_.as(chunk.size, width);
    ops_->linear_dx(chunk.logits, input.head, dchunk, /*accumulate=*/false);
    if (dhead.data != nullptr)
      ops_->linear_dw(chunk.logits, chunk.hidden, dhead, /*accumulate=*/true);
    if (learner != nullptr)
      learner->add_head_backward(chunk.rows, chunk.hidden, chunk.logits, dchunk);
    for (int64_t i = 0; i < chunk.size; ++i)
      std::memcpy(dhidden.row(rows_[first + static_cast<size_t>(i)]), dchunk.row(i),
                  static_cast<size_t>(width) * sizeof(float));
    first = end;
  }
  return sum;
}

void ChunkedLoss::scatter_losses(const LossInput& input, size_t first) {
  if (input.row_losses.empty()) return;
  for (size_t i = 0; i < losses_.size(); ++i)
    input.row_losses[static_cast<size_t>(rows_[first + i])] = losses_[i];
}

// chunk.logits are w (softmax(logits) - onehot) by now. The same for the anchor's logits, taken
// away, leaves w (softmax(logits) - softmax(anchor)): the targets fall out.
void ChunkedLoss::subtract_anchor(const LossInput& input, size_t first, const Chunk& chunk) {
  const int64_t width = input.anchor.cols;
  const Matrix hidden = anchor_hidden_.as(chunk.size, width);
  for (int64_t i = 0; i < chunk.size; ++i)
    std::memcpy(hidden.row(i), input.anchor.row(rows_[first + static_cast<size_t>(i)]),
                static_cast<size_t>(width) * sizeof(float));
  const Matrix logits = anchor_logits_.as(chunk.size, input.head.rows);
  ops_->linear(hidden, input.head, logits, /*accumulate=*/false);
  anchor_losses_.resize(static_cast<size_t>(chunk.size));
  ops_->cross_entropy(logits, chunk.targets, chunk.weights, anchor_losses_);
  const auto n = static_cast<size_t>(chunk.size * input.head.rows);
  ops_->axpy(-1.0f, {logits.data, n}, {chunk.logits.data, n});
}

void ChunkedLoss::log_probabilities(const LossInput& input, std::span<float> out) {
  begin(input);
  std::fill(out.begin(), out.end(), 0.0f);
  size_t first = 0;
  for (const size_t end : ends_) {
    const Chunk chunk = logits(input, first, end - first);
    ops_->log_probability(chunk.logits, chunk.targets, losses_);
    for (size_t i = 0; i < losses_.size(); ++i)
      out[static_cast<size_t>(rows_[first + i])] = losses_[i];
    first = end;
  }
}

double ChunkedLoss::only(const LossInput& input) {
  begin(input);
  double sum = 0;
  size_t first = 0;
  for (const size_t end : ends_) {
    const Chunk chunk = logits(input, first, end - first);
    ops_->log_probability(chunk.logits, chunk.targets, losses_);
    sum -= weighted_sum(losses_, chunk.weights);
    first = end;
  }
  return sum;
}

}  // namespace plinth::train
