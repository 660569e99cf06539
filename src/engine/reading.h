// Outputs of Engine::read(): what a base makes of a text that nobody wants continued.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "engine/engine.h"
#include "engine/output.h"

namespace plinth::engine {

// The mean over all tokens of the last layer's normalised output.
class PooledOutput : public Output {
 public:
  using Done = std::function<void(Result<Reading>)>;

  explicit PooledOutput(Done done) : done_(std::move(done)) {}

  int64_t first_wanted(int64_t) const override { return next_; }

  bool wants_hidden() const override { return true; }

  bool take(int64_t first, tensor::ConstMatrix hidden, std::vector<int32_t>& tokens) override;

  void found_cached(int64_t) override {}

  void spent(double core_s) override { core_s_ = core_s; }

  void abort(Error error) override { done_(std::move(error)); }

 private:
  Done done_;
  std::vector<double> sums_;
  int64_t next_ = 0;
  double core_s_ = 0;
};

// Log-probabilities of tokens 1, 2, ..., and the best alternatives at each of their places. The
// last token is only ever a target.
class LogprobOutput : public Output {
 public:
  LogprobOutput(std::vector<int32_t> tokens, int32_t top, PooledOutput::Done done)
      : targets_(tokens.begin() + 1, tokens.end()), top_(top), done_(std::move(done)) {}

  int64_t first_wanted(int64_t) const override { return next_; }

  bool take(int64_t first, tensor::ConstMatrix logits, std::vector<int32_t>& tokens) override;

  void found_cached(int64_t) override {}

  void spent(double core_s) override { reading_.core_s = core_s; }

  void abort(Error error) override { done_(std::move(error)); }

 private:
  std::vector<int32_t> targets_;  // by position
  int32_t top_;
  PooledOutput::Done done_;
  Reading reading_;
  int64_t next_ = 0;
};

}  // namespace plinth::engine
