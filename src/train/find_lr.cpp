#include "train/find_lr.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace plinth::train {
namespace {

constexpr double kSmoothing = 0.9;
constexpr double kFarAbove = 1.3;  // times the lowest smoothed loss, and kFarNats more
constexpr double kFarNats = 0.5;
constexpr int64_t kStepsBefore = 10;

class Recorder {
 public:
  // false: the loss has run away, there is nothing more to learn.
  bool take(const StepReport& report) {
    mean_ = kSmoothing * mean_ + (1 - kSmoothing) * report.loss;
    const auto n = static_cast<double>(test_.points.size() + 1);
    const double smoothed = mean_ / (1 - std::pow(kSmoothing, n));
    test_.points.push_back({report.learning_rate, report.loss, smoothed});
    if (lowest_ < 0 || smoothed < test_.points[static_cast<size_t>(lowest_)].smoothed)
      lowest_ = static_cast<int64_t>(test_.points.size()) - 1;
    const double low = test_.points[static_cast<size_t>(lowest_)].smoothed;
    test_.diverged = n > kStepsBefore && smoothed > std::max(kFarAbove * low, low + kFarNats);
    return !test_.diverged;
  }

  RangeTest finish() {
    if (lowest_ > 0) test_.suggested = test_.points[static_cast<size_t>(lowest_)].learning_rate / 3;
    return std::move(test_);
  }

 private:
  RangeTest test_;
  double mean_ = 0;
  int64_t lowest_ = -1;
};

}  // namespace

Result<RangeTest> find_learning_rate(const std::shared_ptr<const model::Model>& base,
                                     const TuneRecipe& recipe, const RangeOptions& options,
                                     const TuneHooks& hooks) {
  if (!(options.low > 0 && options.high > options.low))
    return invalid("learning rates {} to {}: not a range above 0", options.low, options.high);
  PLINTH_TRY(const auto folder, TempDirectory::create("plinth-find-lr"));
  TuneRecipe range = recipe;
  range.lr = options.high;
  range.lr_low = options.low;
  range.steps = options.steps;
  range.heldout_share = 0;
  range.general_rise_max = 0;
  range.patience = 0;
  range.divergences_max = 0;
  range.eval_every = range.checkpoint_every = options.steps;
  Recorder recorder;
  bool ran_away = false;
  TuneHooks watching = hooks;
  watching.train.on_step = [&](const StepReport& report) {
    if (!ran_away) ran_away = !recorder.take(report);
    if (hooks.train.on_step) hooks.train.on_step(report);
  };
  watching.train.stop = [&] { return ran_away || (hooks.train.stop && hooks.train.stop()); };
  const auto done = tune(base, range, folder.path(), watching);
  auto test = recorder.finish();
  // Run away: by the loss (we stopped it), or so fast that it is no number any more.
  const bool to_be_expected = ran_away || (!done && done.error().code == Code::kInternal &&
                                           static_cast<int64_t>(test.points.size()) > kStepsBefore);
  if (!done && !to_be_expected) return done.error();
  test.diverged = test.diverged || !done;
  return test;
}

std::vector<TuneMember> sweep_members(const TuneRecipe& recipe, const SweepGrid& grid,
                                      const Path& folder, const TuneHooks& hooks) {
  const auto or_one = [](auto list, auto value) {
    if (list.empty()) list.push_back(value);
    return list;
  };
  std::vector<TuneMember> members;
  for (const int64_t rank : or_one(grid.ranks, recipe.rank)) {
    for (const double rate : or_one(grid.rates, recipe.lr)) {
      for (const double epochs : or_one(grid.epochs, recipe.epochs)) {
        TuneMember member;
        member.name = fmt::format("rank-{}-lr-{:.3g}-epochs-{:.3g}", rank, rate, epochs);
        member.recipe = recipe;
        member.recipe.rank = rank;
        member.recipe.alpha =
            recipe.alpha * static_cast<double>(rank) / static_cast<double>(recipe.rank);
        member.recipe.lr = rate;
        member.recipe.epochs = epochs;
        member.run_dir = folder / member.name;
        member.hooks = hooks;
        members.push_back(std::move(member));
      }
    }
  }
  return members;
}

Result<Sweep> sweep(const std::shared_ptr<const model::Model>& base,
                    std::span<const TuneMember> members, int64_t memory) {
  for (const auto& member : members)
    if (member.recipe.heldout_share <= 0 && member.recipe.heldout.empty())
      return invalid("data.heldout_share is 0: a sweep compares held-out losses");
  Sweep made;
  while (made.results.size() < members.size()) {
    const auto rest = members.subspan(made.results.size());
    PLINTH_TRY(const size_t n, fitting_together(base, rest, memory));
    PLINTH_TRY(auto results, tune_together(base, rest.first(n)));
    for (auto& result : results) {
      if (!result && result.error().code == Code::kCancelled) return std::move(result).error();
      if (result && result->heldout < 0) return invalid("{}: no row is held out", rest[0].name);
      made.results.push_back(std::move(result));
    }
  }
  const TuneSummary* best = nullptr;
  const Error* error = nullptr;
  for (size_t i = 0; i < made.results.size(); ++i) {
    const auto& result = made.results[i];
    if (!result && error == nullptr) error = &result.error();
    if (!result || (best != nullptr && result->heldout >= best->heldout)) continue;
    best = &*result;
    made.best = i;
  }
  if (best == nullptr) return Error(*error);
  return made;
}

}  // namespace plinth::train
