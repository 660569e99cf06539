#include "model/rope_scaling.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace plinth::model {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;

double llama3_frequency(double frequency, const RopeScaling& scaling) {
  const auto context = static_cast<double>(scaling.original_context);
  const double wave = kTurn / frequency;
  if (wave < context / scaling.high_frequency) return frequency;
  if (wave > context / scaling.low_frequency) return frequency / scaling.factor;
  const double kept =
      (context / wave - scaling.low_frequency) / (scaling.high_frequency - scaling.low_frequency);
  return (1 - kept) * frequency / scaling.factor + kept * frequency;
}

// The dimensions between which YaRN goes from keeping to dividing.
struct Ramp {
  double low;
  double high;
};

Ramp yarn_ramp(int64_t head_dim, double theta, const RopeScaling& scaling) {
  // The dimension that turns so often over the original context.
  const auto dimension = [&](double turns) {
    const double wave = static_cast<double>(scaling.original_context) / (turns * kTurn);
    return static_cast<double>(head_dim) * std::log(wave) / (2 * std::log(theta));
  };
  Ramp ramp{dimension(scaling.beta_fast), dimension(scaling.beta_slow)};
  if (scaling.truncate) ramp = {std::floor(ramp.low), std::ceil(ramp.high)};
  ramp.low = std::max(ramp.low, 0.0);
  ramp.high = std::min(ramp.high, static_cast<double>(head_dim - 1));
  if (ramp.low == ramp.high) ramp.high += 0.001;
  return ramp;
}

double yarn_frequency(double frequency, double pair, const Ramp& ramp, double factor) {
  const double divided = std::clamp((pair - ramp.low) / (ramp.high - ramp.low), 0.0, 1.0);
  return frequency / factor * divided + frequency * (1 - divided);
}

bool inside(double value, double low, double high) {
  return value >= low && value <= high;  // false for NaN
}

}  // namespace

double yarn_magnitude(double factor) {
  return factor > 1 ? 0.1 * std::log(factor) + 1 : 1.0;
}

Status RopeScaling::check(int64_t head_dim) const {
  if (kind != RopeScalingKind::kNone && !inside(factor, 1e-3, 1e4))
    return invalid("RoPE scaling factor {} is outside 0.001..10000", factor);
  if (!inside(magnitude, 1e-3, 1e3))
    return invalid("RoPE attention factor {} is outside 0.001..1000", magnitude);
  if (kind == RopeScalingKind::kLlama3 || kind == RopeScalingKind::kYarn) {
    if (original_context < 1 || original_context > 1 << 24)
      return invalid("RoPE original context {} is outside 1..{}", original_context, 1 << 24);
  }
  if (kind == RopeScalingKind::kLlama3 &&
      !(inside(low_frequency, 1e-3, 1e4) && inside(high_frequency, 1e-3, 1e4) &&
        low_frequency < high_frequency))
    return invalid("RoPE frequency factors {} and {} are not rising in 0.001..10000", low_frequency,
                   high_frequency);
  if (kind == RopeScalingKind::kYarn &&
      !(inside(beta_slow, 1e-3, 1e4) && inside(beta_fast, 1e-3, 1e4) && beta_slow <= beta_fast))
    return invalid("RoPE betas {} and {} are not rising in 0.001..10000", beta_slow, beta_fast);
  if (!divisors.empty() && static_cast<int64_t>(divisors.size()) != head_dim / 2)
    return invalid("{} RoPE divisors for {} pairs", divisors.size(), head_dim / 2);
  for (const float divisor : divisors) {
    if (!inside(double{divisor}, 1e-6, 1e6))
      return invalid("RoPE divisor {} is outside 1e-6..1e6", divisor);
  }
  return {};
}

std::vector<float> rope_frequencies(int64_t head_dim, double theta, const RopeScaling& scaling) {
  const bool yarn = scaling.kind == RopeScalingKind::kYarn;
  const Ramp ramp = yarn ? yarn_ramp(head_dim, theta, scaling) : Ramp{};
  std::vector<float> frequencies(static_cast<size_t>(head_dim / 2));
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const auto pair = static_cast<double>(i);
    double frequency = std::pow(theta, -2 * pair / static_cast<double>(head_dim));
    if (scaling.kind == RopeScalingKind::kLinear) frequency /= scaling.factor;
    if (scaling.kind == RopeScalingKind::kLlama3) frequency = llama3_frequency(frequency, scaling);
    if (yarn) frequency = yarn_frequency(frequency, pair, ramp, scaling.factor);
    if (!scaling.divisors.empty()) frequency /= double{scaling.divisors[i]};
    frequencies[i] = static_cast<float>(frequency);
  }
  return frequencies;
}

}  // namespace plinth::model
