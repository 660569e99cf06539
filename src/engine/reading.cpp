#include "engine/reading.h"

#include <cmath>
#include <utility>

#include "engine/sampler.h"

namespace plinth::engine {

bool PooledOutput::take(int64_t first, tensor::ConstMatrix hidden, std::vector<int32_t>& tokens) {
  sums_.resize(static_cast<size_t>(hidden.cols));
  for (int64_t i = 0; i < hidden.rows; ++i)
    for (int64_t j = 0; j < hidden.cols; ++j) sums_[static_cast<size_t>(j)] += hidden.row(i)[j];
  next_ = first + hidden.rows;
  if (next_ < std::ssize(tokens)) return false;
  Reading reading{.core_s = core_s_};
  for (const double sum : sums_) {
    if (!std::isfinite(sum)) {
      done_(internal_error("the model gave no finite hidden state"));
      return true;
    }
    reading.pooled.push_back(static_cast<float>(sum / static_cast<double>(tokens.size())));
  }
  done_(std::move(reading));
  return true;
}

bool LogprobOutput::take(int64_t first, tensor::ConstMatrix logits, std::vector<int32_t>&) {
  for (int64_t i = 0; i < logits.rows; ++i) {
    auto scored = score_token({logits.row(i), static_cast<size_t>(logits.cols)},
                              targets_[static_cast<size_t>(first + i)], top_);
    if (!scored) {
      done_(std::move(scored).error());
      return true;
    }
    reading_.logprobs.push_back(scored->logprob);
    reading_.top.push_back(std::move(scored->top));
  }
  next_ = first + logits.rows;
  if (next_ < std::ssize(targets_)) return false;
  done_(std::move(reading_));
  return true;
}

}  // namespace plinth::engine
