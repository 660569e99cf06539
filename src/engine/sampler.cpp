#include "engine/sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "tensor/ops.h"

namespace plinth::engine {
namespace {

constexpr float kImpossible = -std::numeric_limits<float>::infinity();

// The best token, -1 when no logit is a number.
int32_t best_token(std::span<const float> logits) {
  int32_t best = -1;
  float best_logit = kImpossible;
  for (size_t i = 0; i < logits.size(); ++i)
    if (logits[i] > best_logit) {
      best_logit = logits[i];
      best = static_cast<int32_t>(i);
    }
  return best;
}

// log of the softmax denominator. The vectorised operation knows no NaN; rows that have one take
// the slow way, which leaves them out.
double log_sum_exp(std::span<const float> logits, int32_t best) {
  const float largest = logits[static_cast<size_t>(best)];
  float logprob = 0;
  tensor::default_ops().log_probability(tensor::matrix(logits.data(), 1, std::ssize(logits)),
                                        {&best, 1}, {&logprob, 1});
  if (std::isfinite(logprob)) return static_cast<double>(largest) - logprob;
  double sum = 0;
  for (const float logit : logits)
    if (logit > kImpossible) sum += std::exp(static_cast<double>(logit - largest));
  return static_cast<double>(largest) + std::log(sum);
}

std::vector<std::pair<int32_t, float>> top_of(std::span<const float> logits, int32_t n,
                                              double log_sum) {
  std::vector<int32_t> ids;
  for (size_t i = 0; i < logits.size(); ++i)
    if (logits[i] > kImpossible) ids.push_back(static_cast<int32_t>(i));
  const auto logit = [&](int32_t id) { return logits[static_cast<size_t>(id)]; };
  const auto end = ids.begin() + std::min<std::ptrdiff_t>(n, std::ssize(ids));
  std::partial_sort(ids.begin(), end, ids.end(), [&](int32_t a, int32_t b) {
    return logit(a) != logit(b) ? logit(a) > logit(b) : a < b;
  });
  std::vector<std::pair<int32_t, float>> top;
  for (auto it = ids.begin(); it != end; ++it)
    top.emplace_back(*it, static_cast<float>(logit(*it) - log_sum));
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
  const int32_t best = best_token(logits);
  if (best < 0 || !std::isfinite(logits[static_cast<size_t>(best)]))
    return internal_error("the model gave no finite logit");
  const double log_sum = log_sum_exp(logits, best);
  Choice choice{.token = token};
  choice.logprob = static_cast<float>(logits[static_cast<size_t>(token)] - log_sum);
  if (top > 0) choice.top = top_of(logits, top, log_sum);
  return choice;
}

Result<Choice> Sampler::choose(std::span<const float> logits, const TokenCounts& counts,
                               std::span<const uint64_t> mask) {
  if (!mask.empty()) {
    apply_mask(logits, mask, masked_);
    logits = masked_;
  }
  const int32_t best = best_token(logits);
  if (best < 0 || !std::isfinite(logits[static_cast<size_t>(best)]))
    return internal_error("the model gave no finite logit");
  const double log_sum = log_sum_exp(logits, best);

  Choice choice{.token = best};
  const bool adjusts = wants_counts() || !sampling_.logit_bias.empty();
  if (adjusts) {
    adjusted_.assign(logits.begin(), logits.end());
    adjust(adjusted_, counts);
    choice.token = best_token(adjusted_);
  }
  if (sampling_.temperature > 0) choice.token = draw(adjusts ? adjusted_ : logits);
  choice.logprob = static_cast<float>(logits[static_cast<size_t>(choice.token)] - log_sum);
  if (sampling_.top_logprobs > 0) choice.top = top_of(logits, sampling_.top_logprobs, log_sum);
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

// The candidates are kept in order of weight only as far as a filter needs it; the draw itself
// walks them in whatever order they are in, which depends on nothing but logits and settings.
int32_t Sampler::draw(std::span<const float> logits) {
  candidates_.clear();
  for (size_t i = 0; i < logits.size(); ++i)
    if (logits[i] > kImpossible) candidates_.push_back({static_cast<int32_t>(i), logits[i]});
  if (sampling_.top_k > 0) keep_top(static_cast<size_t>(sampling_.top_k));

  float best = kImpossible;
  for (const auto& c : candidates_) best = std::max(best, c.logit);
  for (auto& c : candidates_)
    c.weight = std::exp(static_cast<double>(c.logit - best) / sampling_.temperature);
  if (sampling_.min_p > 0)
    std::erase_if(candidates_, [this](const Candidate& c) { return c.weight < sampling_.min_p; });
  if (sampling_.typical_p < 1) keep_typical();
  // Nucleus. Source: Holtzman et al., "The Curious Case of Neural Text Degeneration", ICLR 2020.
  if (sampling_.top_p < 1)
    keep_mass(sampling_.top_p, [](const Candidate& a, const Candidate& b) {
      return a.weight != b.weight ? a.weight > b.weight : a.token < b.token;
    });

  double total = 0;
  for (const auto& c : candidates_) total += c.weight;
  double left = rng_.uniform() * total;
  for (const auto& c : candidates_)
    if ((left -= c.weight) < 0) return c.token;
  return candidates_.back().token;  // rounding ate the last sliver
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
  double total = 0;
  for (const auto& c : candidates_) total += c.weight;
  double expected = 0;
  for (auto& c : candidates_) {
    c.distance = -std::log(c.weight / total);  // infinite where the weight has vanished
    if (c.weight > 0) expected += c.weight / total * c.distance;
  }
  for (auto& c : candidates_) c.distance = std::abs(c.distance - expected);
  keep_mass(sampling_.typical_p, [](const Candidate& a, const Candidate& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.token < b.token;
  });
}

// The fewest best candidates that hold this share of the mass. Sorts only as many as it takes: the
// nucleus of a confident model is a handful of a vocabulary of 150,000.
template <typename Better>
void Sampler::keep_mass(float share, Better better) {
  double total = 0;
  for (const auto& c : candidates_) total += c.weight;
  const double wanted = total * static_cast<double>(share);
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
