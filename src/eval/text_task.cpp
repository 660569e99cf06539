#include <algorithm>
#include <numbers>
#include <numeric>
#include <span>
#include <utility>

#include "core/interrupt.h"
#include "eval/characters.h"
#include "eval/tasks.h"

namespace plinth::eval {
namespace {

constexpr size_t kWindowsAtOnce = 256;

}  // namespace

std::vector<Window> windows_of(int64_t size, int64_t window) {
  std::vector<Window> windows;
  int64_t scored = 1;
  while (scored < size) {
    const int64_t begin = windows.empty() ? 0 : scored - window / 2;
    const int64_t end = std::min(size, begin + window);
    windows.push_back({begin, end, scored});
    scored = end;
  }
  return windows;
}

Result<std::vector<ItemResult>> run_text(const TaskContext& context) {
  const auto& tokenizer = context.engine.model().tokenizer();
  const int64_t window =
      std::min(context.options.window_tokens, context.engine.model().config().context);
  if (window < 4) return invalid("window_tokens {} is less than 4", window);
  const int32_t start = tokenizer.bos() >= 0 ? tokenizer.bos() : tokenizer.eos();

  const auto& items = context.suite.items;
  std::vector<ItemResult> results;
  std::vector<engine::ScoreRequest> requests;
  std::vector<size_t> owners;  // item of each request
  size_t kept = 0;             // items whose windows have all been scored
  const auto flush = [&]() -> Status {
    PLINTH_TRY(check_interrupted());
    PLINTH_TRY(const auto scores, context.engine.score(std::exchange(requests, {})));
    for (size_t r = 0; r < scores.size(); ++r)
      results[owners[r]].bits -=
          std::accumulate(scores[r].begin(), scores[r].end(), 0.0) * std::numbers::log2e;
    owners.clear();
    for (size_t i = kept; i < results.size(); ++i) {
      ItemResult& result = results[i];
      result.score =
          result.characters > 0 ? result.bits / static_cast<double>(result.characters) : 0;
    }
    PLINTH_TRY(context.keep(std::span(results).subspan(kept)));
    kept = results.size();
    if (context.options.progress) context.options.progress(std::ssize(results), std::ssize(items));
    return {};
  };

  for (const Item& item : items) {
    std::vector<int32_t> tokens = tokenizer.encode(item.text, /*parse_special=*/false);
    ItemResult result{
        .id = item.id, .kind = SuiteKind::kText, .characters = count_characters(item.text)};
    if (start >= 0) {
      tokens.insert(tokens.begin(), start);
    } else {  // nothing to predict the first token from: its characters do not count
      result.characters -= count_characters(tokenizer.decode(std::span(tokens).first(1)));
    }
    results.push_back(std::move(result));
    for (const Window& w : windows_of(std::ssize(tokens), window)) {
      requests.push_back({.tokens = {tokens.begin() + w.begin, tokens.begin() + w.end},
                          .first_scored = w.first_scored - w.begin,
                          .adapter = context.adapter});
      owners.push_back(results.size() - 1);
    }
    if (requests.size() >= kWindowsAtOnce) PLINTH_TRY(flush());
  }
  if (kept < results.size()) PLINTH_TRY(flush());
  return results;
}

}  // namespace plinth::eval
