// A learned quality score: a linear model on hashed character n-grams, calibrated.
//
// Features are the distinct 1-, 2- and 3-grams of the first 4,096 characters (folded; of
// white space only line breaks count, once), hashed into 65,536 places, each with weight
// 1/sqrt(features). The score is the probability that a text is rather like the good examples than
// like the bad ones, if there were as many of both: logistic regression (L2, AdaGrad), then Platt's
// scaling on a fifth of the examples that training has not seen. Source: Platt, "Probabilistic
// Outputs for Support Vector Machines", 1999.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"
#include "core/result.h"

namespace plinth::corpus {

// Immutable; any thread.
class QualityModel {
 public:
  QualityModel() = default;  // none

  // 64 KiB: "plinthQ2", three float32 (scale, slope, offset), 65,536 weights in int8.
  static Result<QualityModel> read(const Path& path);
  static Result<QualityModel> parse(std::string_view bytes, std::string_view name);

  bool empty() const { return weights_.empty(); }

  // 0..1
  double score(std::string_view text) const;

  std::string bytes() const;

 private:
  friend class QualityTrainer;

  double margin(std::string_view text) const;

  std::vector<int8_t> weights_;
  float scale_ = 0;  // of a weight
  float slope_ = 1;  // probability = 1 / (1 + exp(-(slope * margin + offset)))
  float offset_ = 0;
};

struct QualityExample {
  std::string text;
  bool good = false;
};

struct QualityTraining {
  QualityModel model;
  int64_t good = 0;
  int64_t bad = 0;
  double held_out_accuracy = 0;  // at a score of 0.5, on the fifth that was left out
  double held_out_auc = 0;
};

// The same examples and seed give the same model. Too few of either kind is an error.
Result<QualityTraining> train_quality(const std::vector<QualityExample>& examples, uint64_t seed);

}  // namespace plinth::corpus
