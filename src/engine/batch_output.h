// Outputs of score() and logits(): a caller waits for all sequences of its batch.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/output.h"

namespace plinth::engine {

// What a batch of sequences gives, row after row. The caller waits, the engine thread fills in:
// shared, because either may let go first.
class Batch {
 public:
  explicit Batch(size_t sequences) : results_(sequences), open_(sequences) {}

  // Engine thread only, until the sequence is done.
  std::vector<float>& result(size_t sequence) { return results_[sequence]; }

  void done();
  void fail(Error error);

  // Blocks until every sequence is done; the first failure wins.
  Result<std::vector<std::vector<float>>> wait();

 private:
  std::vector<std::vector<float>> results_;
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t open_;
  std::optional<Error> error_;
};

// Log-probabilities of tokens [first_scored, all): position p answers for token p + 1, so the last
// token is only ever a target.
class ScoreOutput : public Output {
 public:
  ScoreOutput(std::shared_ptr<Batch> batch, size_t index, std::vector<int32_t> tokens,
              int64_t first_scored);

  int64_t first_wanted(int64_t) const override { return next_; }

  bool take(int64_t first, tensor::ConstMatrix logits, std::vector<int32_t>& tokens) override;

  void found_cached(int64_t) override {}

  void abort(Error error) override { batch_->fail(std::move(error)); }

 private:
  std::shared_ptr<Batch> batch_;
  size_t index_;
  std::vector<int32_t> targets_;  // by position
  int64_t next_;                  // position
};

// Every row as it comes.
class LogitsOutput : public Output {
 public:
  explicit LogitsOutput(std::shared_ptr<Batch> batch) : batch_(std::move(batch)) {}

  int64_t first_wanted(int64_t) const override { return next_; }

  bool take(int64_t first, tensor::ConstMatrix logits, std::vector<int32_t>& tokens) override;

  void found_cached(int64_t) override {}

  void abort(Error error) override { batch_->fail(std::move(error)); }

 private:
  std::shared_ptr<Batch> batch_;
  int64_t next_ = 0;
};

}  // namespace plinth::engine
