#include "engine/sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "tensor/ops.h"

namespace plinth::engine {
namespace {

// exp(scale * (logit - best)) of all tokens, summed by pieces; the sum of them all is returned.
double weigh(std::span<const float> logits, float best, float scale, std::vector<float>& sums) {
  sums.resize((logits.size() + tensor::kExpSums - 1) / tensor::kExpSums);
  tensor::default_ops().exp_sums(logits, best, scale, sums);
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

// log of the softmax denominator; what is not a number is left out.
double log_sum_exp(std::span<const float> logits, const Peaks& peaks, int32_t best,
                   std::vector<float>& sums) {
  const float largest = logits[static_cast<size_t>(best)];
  double sum = 0;
  if (peaks.all_numbers()) {
    sum = weigh(logits, largest, 1.0f, sums);
  } else {
    peaks.for_each_from(kImpossible, [&](int32_t, float logit) {
      sum += std::exp(static_cast<double>(logit - largest));
    });
  }
  return static_cast<double>(largest) + std::log(sum);
}

std::vector<std::pair<int32_t, float>> top_of(Peaks& peaks, int32_t n, double log_sum) {
  std::vector<std::pair<int32_t, float>> top;
  peaks.for_each_from(peaks.reached_by(static_cast<size_t>(n)),
                      [&](int32_t id, float logit) { top.emplace_back(id, logit); });
  const auto end = top.begin() + std::min<std::ptrdiff_t>(n, std::ssize(top));
  std::partial_sort(top.begin(), end, top.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  top.erase(end, top.end());
  for (auto& [id, logit] : top) logit = static_cast<float>(logit - log_sum);
  return top;
}

// The logits of the tokens in the mask, the others impossible.
void apply_mask(std::span<const float> logits, std::span<const uint64_t> mask,
                std::vector<float>& masked) {
  masked.assign(logits.size(), kImpossible);
  for (size_t word = 0; word < mask.size() && word * 64 < logits.size(); ++word)
    for (uint64_t bits = mask[word]; bits != 0; bits &= bits - 1) {
      const size_t token = word * 64 + static_cast<size_t>(std::countr_zero(bits));
      if (token < logits.size()) masked[token] = logits[token];
    }
}

}  // namespace

Status Sampling::check() const {
  const auto outside = [](float x, float low, float high) { return !(x >= low && x <= high); };
  if (outside(temperature, 0, 100)) return invalid("temperature {} is outside 0..100", temperature);
  if (outside(top_p, 0, 1) || top_p == 0) return invalid("top_p {} is outside (0, 1]", top_p);
  if (outside(min_p, 0, 1)) return invalid("min_p {} is outside 0..1", min_p);
  if (outside(typical_p, 0, 1) || typical_p == 0)
    return invalid("typical_p {} is outside (0, 1]", typical_p);
  if (top_k < 0) return invalid("top_k {} is negative", top_k);
  if (outside(repetition_penalty, 0.01f, 100))
    return invalid("repetition_penalty {} is outside 0.01..100", repetition_penalty);
  if (outside(presence_penalty, -2, 2))
    return invalid("presence_penalty {} is outside -2..2", presence_penalty);
  if (outside(frequency_penalty, -2, 2))
    return invalid("frequency_penalty {} is outside -2..2", frequency_penalty);
  if (top_logprobs < 0 || top_logprobs > 20)
    return invalid("top_logprobs {} is outside 0..20", top_logprobs);
  for (const auto& [id, bias] : logit_bias)
    if (outside(bias, -100, 100))
      return invalid("logit_bias {} of token {} is outside -100..100", bias, id);
  return {};
}

Sampler::Sampler(Sampling sampling) : sampling_(std::move(sampling)), rng_(sampling_.seed) {}

bool Sampler::wants_counts() const {
  return sampling_.repetition_penalty != 1 || sampling_.presence_penalty != 0 ||
         sampling_.frequency_penalty != 0;
}

Result<Choice> score_token(std::span<const float> logits, int32_t token, int32_t top) {
  Peaks peaks;
  peaks.find(logits);
  const int32_t best = peaks.best();
  if (best < 0 || !std::isfinite(logits[static_cast<size_t>(best)]))
    return internal_error("the model gave no finite logit");
  std::vector<float> sums;
  const double log_sum = log_sum_exp(logits, peaks, best, sums);
  Choice choice{.token = token};
  choice.logprob = static_cast<float>(logits[static_cast<size_t>(token)] - log_sum);
  if (top > 0) choice.top = top_of(peaks, top, log_sum);
  return choice;
}

Result<Choice> Sampler::choose(std::span<const float> logits, const TokenCounts& counts,
                               std::span<const uint64_t> mask) {
  if (!mask.empty()) {
    apply_mask(logits, mask, masked_);
    logits = masked_;
  }
  peaks_.find(logits);
  const int32_t best = peaks_.best();
  if (best < 0 || !std::isfinite(logits[static_cast<size_t>(best)]))
    return internal_error("the model gave no finite logit");
  const double log_sum = log_sum_exp(logits, peaks_, best, sums_);

  Choice choice{.token = best};
  if (sampling_.top_logprobs > 0) choice.top = top_of(peaks_, sampling_.top_logprobs, log_sum);
  std::span<const float> drawn = logits;
  if (wants_counts() || !sampling_.logit_bias.empty()) {
    adjusted_.assign(logits.begin(), logits.end());
    adjust(adjusted_, counts);
    drawn = adjusted_;
    peaks_.find(drawn);
    choice.token = peaks_.best();
  }
  if (sampling_.temperature > 0) choice.token = draw(drawn, choice.token);
  choice.logprob = static_cast<float>(logits[static_cast<size_t>(choice.token)] - log_sum);
  return choice;
}

void Sampler::adjust(std::span<float> logits, const TokenCounts& counts) const {
  for (const auto& [id, bias] : sampling_.logit_bias) logits[static_cast<size_t>(id)] += bias;
  if (!wants_counts()) return;
  for (const auto& [token, times] : counts.all()) {
    float& logit = logits[static_cast<size_t>(token)];
    // Source: Keskar et al., "CTRL", 2019, section 4.1, with the sign rule that later code settled
    // on.
    logit = logit > 0 ? logit / sampling_.repetition_penalty : logit * sampling_.repetition_penalty;
    logit -= static_cast<float>(times) * sampling_.frequency_penalty;
    if (times > 0) logit -= sampling_.presence_penalty;
  }
}

// Candidates are gathered from the logit on that the filters leave for certain, and kept in order
// of weight only as far as one needs it; the draw itself walks them in whatever order they are in,
// which depends on nothing but logits and settings.
int32_t Sampler::draw(std::span<const float> logits, int32_t best) {
  const float peak = logits[static_cast<size_t>(best)];
  const auto& s = sampling_;
  // Of all, where a nucleus of all is wanted, or no filter.
  std::optional<double> total;
  if (s.top_k == 0 && s.min_p == 0 && s.typical_p >= 1 && peaks_.all_numbers()) {
    // No number where 1 / temperature is none in a float.
    const double sum = weigh(logits, peak, 1.0f / s.temperature, sums_);
    if (std::isfinite(sum)) total = sum;
  }
  if (total && s.top_p >= 1) return draw_of_all(logits, best, *total);

  if (total) {
    gather_mass(s.top_p * *total, (1 - s.top_p) * *total / static_cast<double>(logits.size()),
                peak);
  } else {
    float floor = kImpossible;
    if (s.top_k > 0) floor = peaks_.reached_by(static_cast<size_t>(s.top_k));
    if (s.min_p > 0) floor = std::max(floor, floor_of_weight(s.min_p, peak));
    gather(floor, peak);
    if (s.top_k > 0) keep_top(static_cast<size_t>(s.top_k));
  }
  if (s.min_p > 0)
    std::erase_if(candidates_, [&](const Candidate& c) { return c.weight < s.min_p; });
  if (s.typical_p < 1) keep_typical();
  // Nucleus. Source: Holtzman et al., "The Curious Case of Neural Text Degeneration", ICLR 2020.
  if (s.top_p < 1)
    keep_mass(s.top_p * total.value_or(total_weight()), [](const Candidate& a, const Candidate& b) {
      return a.weight != b.weight ? a.weight > b.weight : a.token < b.token;
    });

  double left = rng_.uniform() * total_weight();
  for (const auto& c : candidates_)
    if ((left -= c.weight) < 0) return c.token;
  return candidates_.back().token;  // rounding ate the last sliver
}

// No filter: sums_ hold the weights by pieces, together `total`.
int32_t Sampler::draw_of_all(std::span<const float> logits, int32_t best, double total) {
  const float peak = logits[static_cast<size_t>(best)];
  double left = rng_.uniform() * total;
  size_t piece = 0;
  while (piece + 1 < sums_.size() && left >= double{sums_[piece]}) left -= double{sums_[piece++]};
  int32_t last = best;
  const size_t end = std::min(logits.size(), (piece + 1) * tensor::kExpSums);
  for (size_t i = piece * tensor::kExpSums; i < end; ++i) {
    const double weight = std::exp(static_cast<double>(logits[i] - peak) / sampling_.temperature);
    if (weight > 0) last = static_cast<int32_t>(i);
    if ((left -= weight) < 0) return last;
  }
  return last;  // rounding ate the last sliver
}

void Sampler::gather(float floor, float peak) {
  candidates_.clear();
  peaks_.for_each_from(floor, [&](int32_t token, float logit) {
    const double weight = std::exp(static_cast<double>(logit - peak) / sampling_.temperature);
    candidates_.push_back({token, logit, weight});
  });
}

// Best candidates that weigh `wanted` together, and some more. Tokens below `least`, a share of
// what is not wanted, are not even that together; mostly far fewer are enough.
void Sampler::gather_mass(double wanted, double least, float peak) {
  double weight = 0.02;
  do {
    weight = std::max(weight, least);
    gather(floor_of_weight(weight, peak), peak);
    if (weight == least) return;
    weight *= weight;
  } while (total_weight() < wanted);
}

// Some way below the logit that has this weight, so that no rounding leaves out one that has it.
float Sampler::floor_of_weight(double weight, float peak) const {
  const double below = -std::log(weight) * sampling_.temperature;
  return static_cast<float>(peak - below - 1e-5 * (1 + std::abs(peak) + std::abs(below)));
}

double Sampler::total_weight() const {
  double total = 0;
  for (const auto& c : candidates_) total += c.weight;
  return total;
}

void Sampler::keep_top(size_t n) {
  if (n >= candidates_.size()) return;
  const auto better = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
  };
  const auto end = candidates_.begin() + static_cast<std::ptrdiff_t>(n);
  std::nth_element(candidates_.begin(), end, candidates_.end(), better);
  candidates_.erase(end, candidates_.end());
}

// Those whose surprise -log p is nearest to the expected one. Source: Meister et al., "Locally
// Typical Sampling", TACL 2023.
void Sampler::keep_typical() {
  const double total = total_weight();
  double expected = 0;
  for (auto& c : candidates_) {
    c.distance = -std::log(c.weight / total);  // infinite where the weight has vanished
    if (c.weight > 0) expected += c.weight / total * c.distance;
  }
  for (auto& c : candidates_) c.distance = std::abs(c.distance - expected);
  keep_mass(sampling_.typical_p * total, [](const Candidate& a, const Candidate& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.token < b.token;
  });
}

// The fewest best candidates that weigh as much together. Sorts only as many as it takes: the
// nucleus of a confident model is a handful of a vocabulary of 150,000.
template <typename Better>
void Sampler::keep_mass(double wanted, Better better) {
  double mass = 0;
  size_t sorted = 0;
  for (size_t reach = 64; sorted < candidates_.size(); reach *= 8) {
    const auto begin = candidates_.begin() + static_cast<std::ptrdiff_t>(sorted);
    const size_t end = std::min(reach, candidates_.size());
    const auto middle = candidates_.begin() + static_cast<std::ptrdiff_t>(end);
    std::nth_element(begin, middle, candidates_.end(), better);
    std::sort(begin, middle, better);
    for (; sorted < end; ++sorted) {
      mass += candidates_[sorted].weight;
      if (mass >= wanted) {
        candidates_.resize(sorted + 1);
        return;
      }
    }
  }
}

}  // namespace plinth::engine
