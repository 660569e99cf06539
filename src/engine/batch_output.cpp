#include "engine/batch_output.h"

#include <cmath>
#include <utility>

#include "tensor/ops.h"

namespace plinth::engine {

void Batch::done() {
  const std::lock_guard lock(mutex_);
  if (--open_ == 0) changed_.notify_all();
}

void Batch::fail(Error error) {
  {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(error);
  }
  done();
}

Result<std::vector<std::vector<float>>> Batch::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return open_ == 0; });
  if (error_) return *error_;
  return std::move(results_);
}

ScoreOutput::ScoreOutput(std::shared_ptr<Batch> batch, size_t index, std::vector<int32_t> tokens,
                         int64_t first_scored)
    : batch_(std::move(batch)),
      index_(index),
      targets_(tokens.begin() + 1, tokens.end()),
      next_(first_scored - 1) {}

bool ScoreOutput::take(int64_t first, tensor::ConstMatrix logits, std::vector<int32_t>&) {
  auto& scores = batch_->result(index_);
  const size_t old = scores.size();
  const auto rows = static_cast<size_t>(logits.rows);
  scores.resize(old + rows);
  const std::span<float> fresh(scores.data() + old, rows);
  tensor::default_ops().log_probability(
      logits, std::span<const int32_t>(targets_).subspan(static_cast<size_t>(first), rows), fresh);
  for (const float score : fresh)
    if (!std::isfinite(score)) {
      batch_->fail(internal_error("the model gave no finite log-probability"));
      return true;
    }
  next_ = first + logits.rows;
  if (next_ < std::ssize(targets_)) return false;
  batch_->done();
  return true;
}

bool LogitsOutput::take(int64_t first, tensor::ConstMatrix logits, std::vector<int32_t>& tokens) {
  auto& result = batch_->result(0);
  for (int64_t i = 0; i < logits.rows; ++i)
    result.insert(result.end(), logits.row(i), logits.row(i) + logits.cols);
  next_ = first + logits.rows;
  if (next_ < std::ssize(tokens)) return false;
  batch_->done();
  return true;
}

}  // namespace plinth::engine
