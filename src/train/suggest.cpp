#include "train/suggest.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "train/data/dataset.h"

namespace plinth::train {
namespace {

constexpr int64_t kSequenceMax = 4096;
constexpr int64_t kSequenceMultiple = 32;
// Small sets are gone through more often, until they make so many steps of so many tokens; six
// times is the end, and held-out loss that no longer falls is an earlier one.
constexpr double kStepsWanted = 600;
constexpr double kStepTokens = 2048;
constexpr double kEpochsMin = 3, kEpochsMax = 6;
constexpr int64_t kEvaluations = 20;
// The wider the base, the smaller the steps it bears: 5e-4 at 896 columns, where it is customary,
// and from there in inverse proportion; narrow bases bear more than that (5e-3 and more at 256,
// where find-lr says 9e-3), so below in inverse proportion to the square. Measured on the example
// firm: docs/decisions/0005-two-legs.md.
constexpr double kRate = 5e-4, kRateWidth = 896, kRateMin = 1e-4, kRateMax = 8e-3;

double rate_for(double width) {
  const double narrower = kRateWidth / width;
  return std::clamp(kRate * (narrower > 1 ? narrower * narrower : narrower), kRateMin, kRateMax);
}

constexpr double kHeldoutRows = 400;  // more tell little and cost time at every evaluation

// How replay rows are used so that the domain hardly costs anything general, and how much it may
// cost: a little less than the gate allows (0.05 bits a character). Why these values:
// docs/decisions/0005-two-legs.md.
constexpr double kReplayWeight = 12;
constexpr double kGeneralRiseBits = 0.045;
constexpr size_t kRowsSpelt = 300;

double characters_per_token(const std::vector<Sample>& samples, const text::Tokenizer& tokenizer) {
  int64_t characters = 0;
  int64_t tokens = 0;
  for (size_t i = 0; i < std::min(samples.size(), kRowsSpelt); ++i) {
    const auto text = tokenizer.decode(samples[i].tokens, /*with_special=*/false);
    // Bytes that begin a character.
    characters += std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; });
    tokens += std::ssize(samples[i].tokens);
  }
  return static_cast<double>(characters) / static_cast<double>(tokens);
}

// Keeps the general leg where there are rows to keep it with.
Status choose_replay(const model::Model& base, const DatasetOptions& options, TuneRecipe& chosen,
                     std::string& why) {
  if (chosen.replay.empty() || chosen.method != TuneMethod::kLora) return {};
  PLINTH_TRY(const auto replay, read_dataset(chosen.replay, options));
  chosen.replay_target = ReplayTarget::kBase;
  chosen.replay_weight = kReplayWeight;
  chosen.general_rise_max =
      kGeneralRiseBits * std::numbers::ln2 * characters_per_token(replay.samples, base.tokenizer());
  why += fmt::format("; {:.0f} % general rows, whose loss may rise by {:.3f} nats/token",
                     100 * chosen.replay_share, chosen.general_rise_max);
  return {};
}

}  // namespace

Result<Suggestion> suggest(const model::Model& base, const TuneRecipe& recipe,
                           const TuneHooks& hooks) {
  Suggestion made{recipe, {}};
  auto& chosen = made.recipe;
  const int64_t longest = std::min(base.config().context, kSequenceMax);
  const DatasetOptions options{&base.tokenizer(), &hooks.chat, longest, recipe.limits.bad_rows_max,
                               hooks.in_suite};
  PLINTH_TRY(const auto data, read_dataset(recipe.files, options));
  std::vector<int64_t> lengths;
  int64_t tokens = 0;
  for (const auto& sample : data.samples) {
    lengths.push_back(static_cast<int64_t>(sample.tokens.size()));
    tokens += lengths.back();
  }
  std::sort(lengths.begin(), lengths.end());
  const int64_t most = lengths[(lengths.size() - 1) * 199 / 200];
  chosen.sequence =
      std::min(longest, (most + kSequenceMultiple - 1) / kSequenceMultiple * kSequenceMultiple);
  chosen.epochs =
      std::clamp(kStepsWanted * kStepTokens / static_cast<double>(tokens), kEpochsMin, kEpochsMax);
  const double domain_share = chosen.replay.empty() ? 1 : 1 - chosen.replay_share;
  const double all = static_cast<double>(tokens) * chosen.epochs / domain_share;
  const auto batch = static_cast<int64_t>(all / kStepsWanted);
  chosen.batch_tokens =
      std::max(chosen.sequence, std::clamp<int64_t>(batch / 256 * 256, 1024, 16384));
  chosen.micro_tokens = std::max(chosen.sequence, std::min<int64_t>(chosen.batch_tokens, 2048));
  chosen.lr = rate_for(static_cast<double>(base.config().width));
  const auto steps =
      std::max<int64_t>(1, std::llround(all / static_cast<double>(chosen.batch_tokens)));
  chosen.eval_every = chosen.checkpoint_every = std::max<int64_t>(1, steps / kEvaluations);
  chosen.patience = 6;
  const auto rows = static_cast<double>(data.samples.size());
  chosen.heldout_share = std::clamp(kHeldoutRows / rows, 0.01, 0.1);
  made.why = fmt::format(
      "{} samples of {} tokens, {} at most for 199 of 200; base {} wide, context {}: "
      "sequence {}, batch_tokens {}, lr {:.1e}, {} steps over {:.1f} epochs, rank {}",
      data.samples.size(), tokens, most, base.config().width, base.config().context,
      chosen.sequence, chosen.batch_tokens, chosen.lr, steps, chosen.epochs, chosen.rank);
  PLINTH_TRY(choose_replay(base, options, chosen, made.why));
  return made;
}

}  // namespace plinth::train
