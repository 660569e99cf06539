#include "eval/kneser_ney.h"

#include <algorithm>
#include <cmath>

#include "eval/characters.h"

namespace plinth::eval {
namespace {

constexpr int kSymbolBits = 21;  // as many as code points need
constexpr uint32_t kUnseen = 0;
constexpr uint32_t kStart = 1;
constexpr double kCodePoints = 0x110000 - 0x800;  // without surrogates
constexpr size_t kContext = KneserNey::kOrder - 1;

}  // namespace

Result<KneserNey> KneserNey::train(std::span<const std::string_view> documents) {
  KneserNey model;
  std::vector<Gram> grams;
  constexpr Gram kFull = (Gram{1} << (kSymbolBits * kOrder)) - 1;
  for (const auto document : documents) {
    Gram gram = 0;
    for (size_t i = 0; i < kContext; ++i) gram = gram << kSymbolBits | kStart;
    for (const char32_t c : code_points(document)) {
      const auto fresh = static_cast<uint32_t>(model.symbols_.size() + 2);
      const uint32_t symbol = model.symbols_.try_emplace(c, fresh).first->second;
      gram = (gram << kSymbolBits | symbol) & kFull;
      grams.push_back(gram);
    }
  }
  if (grams.empty()) return invalid("Kneser-Ney: no characters to learn from");

  for (int order = kOrder; order >= 1; --order) {
    Level& level = model.levels_[static_cast<size_t>(order - 1)];
    level = count(std::move(grams));
    discount(level);
    // Each distinct n-gram counts once for the (n-1)-gram it ends with: in how many places a
    // character can follow matters, not how often it does.
    grams = {};
    if (order == 1) break;
    grams.reserve(level.grams.size());
    const Gram lower = (Gram{1} << (kSymbolBits * (order - 1))) - 1;
    for (const Gram gram : level.grams) grams.push_back(gram & lower);
  }
  return model;
}

KneserNey::Level KneserNey::count(std::vector<Gram> grams) {
  std::sort(grams.begin(), grams.end());
  Level level;
  size_t distinct = 0;
  for (size_t i = 0; i < grams.size();) {
    size_t end = i + 1;
    while (end < grams.size() && grams[end] == grams[i]) ++end;
    grams[distinct++] = grams[i];
    level.counts.push_back(static_cast<uint32_t>(std::min<size_t>(end - i, UINT32_MAX)));
    i = end;
  }
  grams.resize(distinct);
  grams.shrink_to_fit();
  level.counts.shrink_to_fit();
  level.grams = std::move(grams);
  return level;
}

void KneserNey::discount(Level& level) {
  std::array<double, 5> having = {};  // n-grams with a count of 1..4
  for (const uint32_t count : level.counts)
    if (count < having.size()) ++having[count];
  if (having[1] > 0 && having[2] > 0 && having[3] > 0 && having[4] > 0) {
    const double y = having[1] / (having[1] + 2 * having[2]);
    for (size_t k = 1; k <= 3; ++k) {
      const double wanted =
          static_cast<double>(k) - static_cast<double>(k + 1) * y * having[k + 1] / having[k];
      level.discount[k] = std::clamp(wanted, 0.05, static_cast<double>(k) - 0.05);
    }
  } else {
    level.discount = {0, 0.5, 1.0, 1.5};  // too little text to estimate them from
  }

  for (size_t i = 0; i < level.grams.size();) {
    Context context{.gram = level.grams[i] >> kSymbolBits};
    double taken = 0;
    for (; i < level.grams.size() && level.grams[i] >> kSymbolBits == context.gram; ++i) {
      context.total += level.counts[i];
      taken += level.discount_of(level.counts[i]);
    }
    context.left_over = taken / context.total;
    level.contexts.push_back(context);
  }
  level.contexts.shrink_to_fit();
}

uint32_t KneserNey::symbol(char32_t c) const {
  const auto found = symbols_.find(c);
  return found == symbols_.end() ? kUnseen : found->second;
}

// From the floor up: p_n = discounted share + left_over * p_(n-1). A context that was never seen
// leaves everything to the lower order.
double KneserNey::probability(std::span<const uint32_t> history, uint32_t next) const {
  const auto alphabet = static_cast<double>(symbols_.size());
  double p = 1.0 / (alphabet + 1);
  if (next == kUnseen) p /= kCodePoints - alphabet;
  Gram before = 0;
  for (size_t n = 0; n < levels_.size(); ++n) {
    if (n > 0) before |= static_cast<Gram>(history[history.size() - n]) << (kSymbolBits * (n - 1));
    const Level& level = levels_[n];
    const auto context = std::ranges::lower_bound(level.contexts, before, {}, &Context::gram);
    if (context == level.contexts.end() || context->gram != before) break;
    p *= context->left_over;
    const Gram gram = before << kSymbolBits | next;
    const auto found = std::ranges::lower_bound(level.grams, gram);
    if (found == level.grams.end() || *found != gram) continue;
    const uint32_t count = level.counts[static_cast<size_t>(found - level.grams.begin())];
    p += (count - level.discount_of(count)) / context->total;
  }
  return p;
}

double KneserNey::log2_probability(std::u32string_view before, char32_t next) const {
  std::array<uint32_t, kContext> history;
  history.fill(kStart);
  const size_t known = std::min(before.size(), kContext);
  for (size_t i = 0; i < known; ++i)
    history[kContext - known + i] = symbol(before[before.size() - known + i]);
  return std::log2(probability(history, symbol(next)));
}

Result<double> KneserNey::bits_per_character(std::span<const std::string_view> documents) const {
  double bits = 0;
  int64_t characters = 0;
  for (const auto document : documents) {
    const std::u32string points = code_points(document);
    std::vector<uint32_t> symbols(kContext, kStart);
    for (const char32_t c : points) {
      const uint32_t next = symbol(c);
      bits -= std::log2(probability(std::span(symbols).last(kContext), next));
      symbols.push_back(next);
    }
    characters += std::ssize(points);
  }
  if (characters == 0) return invalid("Kneser-Ney: no characters to measure on");
  return bits / static_cast<double>(characters);
}

int64_t KneserNey::bytes() const {
  size_t bytes = 0;
  for (const Level& level : levels_)
    bytes += level.grams.capacity() * sizeof(Gram) + level.counts.capacity() * sizeof(uint32_t) +
             level.contexts.capacity() * sizeof(Context);
  return static_cast<int64_t>(bytes);
}

}  // namespace plinth::eval
