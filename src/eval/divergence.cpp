#include "eval/divergence.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "core/interrupt.h"

namespace plinth::eval {
namespace {

constexpr int64_t kWindows = 32;
constexpr int64_t kWindowTokens = 256;
constexpr int kResamples = 1000;

// A row of logits as log-probabilities, log p(t) = logit(t) - log_total.
double log_total(std::span<const float> logits) {
  const double most = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - most);
  return most + std::log(sum);
}

struct Sums {
  double nats = 0, text = 0, text_reference = 0;  // text: -ln of the token that does come
  int64_t same_best = 0, texts = 0;
};

// Both [tokens, vocabulary].
Sums compare(std::span<const float> model, std::span<const float> reference,
             std::span<const int32_t> tokens) {
  const size_t vocabulary = model.size() / tokens.size();
  Sums sums;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const auto q = model.subspan(i * vocabulary, vocabulary);
    const auto p = reference.subspan(i * vocabulary, vocabulary);
    const double q_total = log_total(q), p_total = log_total(p);
    for (size_t t = 0; t < vocabulary; ++t) {
      const double log_p = p[t] - p_total;
      sums.nats += std::exp(log_p) * (log_p - (q[t] - q_total));
    }
    sums.same_best +=
        std::ranges::max_element(p) - p.begin() == std::ranges::max_element(q) - q.begin();
    if (i + 1 == tokens.size()) break;
    const auto next = static_cast<size_t>(tokens[i + 1]);
    sums.text -= q[next] - q_total;
    sums.text_reference -= p[next] - p_total;
    ++sums.texts;
  }
  return sums;
}

Result<std::vector<int32_t>> tokens_of(const Speaker& model, const Speaker& reference,
                                       const Suite& suite) {
  if (suite.kind != SuiteKind::kText)
    return invalid("suite {}: holds {} questions; a divergence is measured on text", suite.name,
                   kind_name(suite.kind));
  std::string text;
  for (const Item& item : suite.items) {
    if (!text.empty()) text += '\n';
    text += item.text;
  }
  const model::Model& one = model.engine.model();
  const model::Model& other = reference.engine.model();
  auto tokens = one.tokenizer().encode(text, /*parse_special=*/false);
  if (one.config().vocabulary != other.config().vocabulary ||
      tokens != other.tokenizer().encode(text, false))
    return invalid(
        "the model and its reference do not read {} as the same tokens (vocabularies of "
        "{} and {})",
        suite.name, one.config().vocabulary, other.config().vocabulary);
  if (tokens.size() < 2) return invalid("suite {}: has {} tokens", suite.name, tokens.size());
  return tokens;
}

}  // namespace

Result<Divergence> divergence(const Speaker& model, const Speaker& reference, const Suite& suite,
                              uint64_t seed,
                              const std::function<void(int64_t, int64_t)>& progress) {
  PLINTH_TRY(const auto tokens, tokens_of(model, reference, suite));
  const int64_t size = std::ssize(tokens);
  const int64_t window = std::min({kWindowTokens, size, model.engine.model().config().context,
                                   reference.engine.model().config().context});
  const int64_t windows = std::min(kWindows, size / window);
  std::vector<double> nats, positions;
  Sums all;
  for (int64_t w = 0; w < windows; ++w) {
    PLINTH_TRY(check_interrupted());
    const auto begin = tokens.begin() + w * (size / windows);
    const std::vector<int32_t> part(begin, begin + window);
    PLINTH_TRY(const auto q, model.engine.logits(part, model.adapter));
    PLINTH_TRY(const auto p, reference.engine.logits(part, reference.adapter));
    const Sums sums = compare(q, p, part);
    nats.push_back(sums.nats);
    positions.push_back(static_cast<double>(window));
    all.text += sums.text;
    all.text_reference += sums.text_reference;
    all.texts += sums.texts;
    all.same_best += sums.same_best;
    if (progress) progress(w + 1, windows);
  }
  Divergence out;
  PLINTH_TRY(out.nats, bootstrap_ratio(nats, positions, kResamples, seed));
  out.positions = windows * window;
  out.same_best = static_cast<double>(all.same_best) / static_cast<double>(out.positions);
  out.nats_per_token = all.text / static_cast<double>(all.texts);
  out.nats_per_token_reference = all.text_reference / static_cast<double>(all.texts);
  return out;
}

}  // namespace plinth::eval
