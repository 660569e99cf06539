#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include "core/interrupt.h"
#include "eval/characters.h"
#include "eval/tasks.h"

namespace plinth::eval {
namespace {

constexpr size_t kItemsAtOnce = 128;

Result<std::vector<int32_t>> prompt_tokens(const TaskContext& context, const Item& item) {
  auto tokens = context.options.prompt(item.question);
  if (!tokens) {
    return Error{tokens.error().code, fmt::format("{} item {}: {}", context.suite.name, item.id,
                                                  tokens.error().message)};
  }
  if (tokens->empty())
    return invalid("{} item {}: the prompt is empty", context.suite.name, item.id);
  return tokens;
}

ItemResult judge_item(const Item& item, std::vector<double> log_likelihoods) {
  const auto best = [](const std::vector<double>& values) {
    return static_cast<int64_t>(std::ranges::max_element(values) - values.begin());
  };
  std::vector<double> by_character = log_likelihoods;
  for (size_t i = 0; i < by_character.size(); ++i)
    by_character[i] /= static_cast<double>(count_characters(item.choices[i]));
  ItemResult result{.id = item.id, .kind = SuiteKind::kChoice, .chosen = best(by_character)};
  result.score = result.chosen == item.answer ? 1 : 0;
  result.score_raw = best(log_likelihoods) == item.answer ? 1 : 0;
  result.prediction = item.choices[static_cast<size_t>(result.chosen)];
  result.log_likelihoods = std::move(log_likelihoods);
  return result;
}

}  // namespace

Result<std::vector<ItemResult>> run_choice(const TaskContext& context) {
  const auto& items = context.suite.items;
  const auto& tokenizer = context.engine.model().tokenizer();
  std::vector<ItemResult> results;
  for (size_t first = 0; first < items.size(); first += kItemsAtOnce) {
    PLINTH_TRY(check_interrupted());
    const size_t count = std::min(kItemsAtOnce, items.size() - first);
    std::vector<std::vector<int32_t>> prompts(count);
    size_t choices_max = 0;
    for (size_t i = 0; i < count; ++i) {
      PLINTH_TRY(prompts[i], prompt_tokens(context, items[first + i]));
      choices_max = std::max(choices_max, items[first + i].choices.size());
    }

    // First answers of all items, then second ones, ...: by then the prompt is in the prefix cache.
    std::vector<engine::ScoreRequest> requests;
    std::vector<std::pair<size_t, size_t>> owners;  // item and choice of each request
    for (size_t choice = 0; choice < choices_max; ++choice)
      for (size_t i = 0; i < count; ++i) {
        const Item& item = items[first + i];
        if (choice >= item.choices.size()) continue;
        std::vector<int32_t> tokens = prompts[i];
        const auto answer = tokenizer.encode(item.choices[choice], /*parse_special=*/false);
        tokens.insert(tokens.end(), answer.begin(), answer.end());
        if (std::ssize(tokens) > context.engine.model().config().context)
          return invalid("{} item {}: prompt and choice {} are {} tokens, the context holds {}",
                         context.suite.name, item.id, choice, tokens.size(),
                         context.engine.model().config().context);
        requests.push_back({.tokens = std::move(tokens),
                            .first_scored = std::ssize(prompts[i]),
                            .adapter = context.adapter});
        owners.emplace_back(i, choice);
      }

    PLINTH_TRY(const auto scores, context.engine.score(std::move(requests)));
    std::vector<std::vector<double>> sums(count);
    for (size_t i = 0; i < count; ++i) sums[i].resize(items[first + i].choices.size());
    for (size_t r = 0; r < scores.size(); ++r)
      sums[owners[r].first][owners[r].second] =
          std::accumulate(scores[r].begin(), scores[r].end(), 0.0);
    for (size_t i = 0; i < count; ++i)
      results.push_back(judge_item(items[first + i], std::move(sums[i])));
    PLINTH_TRY(context.keep(std::span(results).last(count)));
    if (context.options.progress) context.options.progress(std::ssize(results), std::ssize(items));
  }
  return results;
}

}  // namespace plinth::eval
