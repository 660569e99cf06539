#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "train/recipe_reader.h"
#include "train/train.h"

namespace plinth::train {
namespace {

constexpr int64_t kRankMax = 256;
constexpr std::array<Named<ReplayTarget>, 2> kReplayTargets = {
    {{"text", ReplayTarget::kText}, {"base", ReplayTarget::kBase}}};

constexpr std::array<Named<TuneMethod>, 3> kMethods = {
    {{"lora", TuneMethod::kLora}, {"full", TuneMethod::kFull}, {"dpo", TuneMethod::kDpo}}};
constexpr std::array<Named<LoraScaling>, 2> kScalings = {
    {{"standard", LoraScaling::kStandard}, {"rslora", LoraScaling::kRankStabilised}}};

double usual_lr(TuneMethod method) {
  switch (method) {
    case TuneMethod::kFull:
      return 2e-5;
    case TuneMethod::kDpo:
      return 5e-5;
    case TuneMethod::kLora:
      break;
  }
  return TuneRecipe().lr;
}

void read_paths(Reader& reader, std::string_view key, const Path& folder,
                std::vector<Path>& paths) {
  std::vector<std::string> texts;
  reader.texts(key, texts);
  for (const auto& text : texts) paths.push_back(folder / text);
}

bool is_target(std::string_view name) {
  for (int i = 0; i < model::kLinears; ++i)
    if (name == model::linear_name(static_cast<model::Linear>(i))) return true;
  return name == model::kEmbeddingTarget || name == model::kHeadTarget;
}

std::string no_target(std::string_view name) {
  return fmt::format("names {}, which is neither a linear layer nor {} or {}", name,
                     model::kEmbeddingTarget, model::kHeadTarget);
}

// What only some methods can do.
Status check_method(const TuneRecipe& r) {
  const auto method = name_of(kMethods, r.method);
  if (r.method != TuneMethod::kLora && r.replay_target == ReplayTarget::kBase)
    return invalid("data.replay_target \"base\" needs method \"lora\", not \"{}\"", method);
  if (r.method != TuneMethod::kLora && r.general_rise_max > 0)
    return invalid("data.general_rise_max needs method \"lora\", not \"{}\"", method);
  if (r.method == TuneMethod::kFull && r.lr_ratio_b != 1)
    return invalid("train.lr_ratio_b {} is for adapters, not for method \"full\"", r.lr_ratio_b);
  if (r.method != TuneMethod::kDpo) return {};
  if (!r.replay.empty()) return invalid("data.replay: method \"dpo\" learns from pairs only");
  if (!(r.dpo_beta > 0)) return invalid("dpo.beta {} is not positive", r.dpo_beta);
  if (r.micro_tokens < 2 * r.sequence || r.batch_tokens < 2 * r.sequence)
    return invalid(
        "train.sequence {}: a pair takes up to twice as much, more than micro_tokens {} or "
        "batch_tokens {}",
        r.sequence, r.micro_tokens, r.batch_tokens);
  return {};
}

}  // namespace

Result<TuneRecipe> TuneRecipe::read(const Path& path) {
  PLINTH_TRY(const auto config, Config::read(path));
  TuneRecipe recipe;
  Reader reader(config);
  reader.one_of("method", kMethods, recipe.method);
  recipe.lr = usual_lr(recipe.method);
  read_paths(reader, "data.files", path.parent_path(), recipe.files);
  read_paths(reader, "data.replay", path.parent_path(), recipe.replay);
  read_paths(reader, "data.heldout", path.parent_path(), recipe.heldout);
  reader.number("data.replay_share", recipe.replay_share, 0.0, 0.95);
  reader.one_of("data.replay_target", kReplayTargets, recipe.replay_target);
  reader.number("data.replay_weight", recipe.replay_weight, 1e-3, 1e3);
  reader.number("data.general_rise_max", recipe.general_rise_max, 0.0, 10.0);
  reader.number("data.heldout_share", recipe.heldout_share, 0.0, 0.5);
  reader.number("data.bad_rows_max", recipe.limits.bad_rows_max, 0.0, 1.0);
  reader.number("data.truncated_max", recipe.limits.truncated_max, 0.0, 1.0);
  reader.number("data.empty_max", recipe.limits.empty_max, 0.0, 1.0);
  reader.number("data.duplicates_max", recipe.limits.duplicates_max, 0.0, 1.0);
  reader.number("data.leaked_max", recipe.limits.leaked_max, 0.0, 1.0);
  reader.integer("lora.rank", recipe.rank, 1, kRankMax);
  reader.number("lora.alpha", recipe.alpha, 1e-3, 1e6);
  reader.one_of("lora.scaling", kScalings, recipe.scaling);
  reader.texts("lora.targets", recipe.targets);
  for (const auto& target : recipe.targets)
    if (!is_target(target)) reader.refuse("lora.targets", no_target(target));
  reader.integer("train.sequence", recipe.sequence, 2, 1 << 20);
  reader.integer("train.batch_tokens", recipe.batch_tokens, 2);
  reader.integer("train.micro_tokens", recipe.micro_tokens, 2);
  reader.bytes("train.memory", recipe.memory);
  reader.number("train.epochs", recipe.epochs, 0.0, 1e6);
  reader.integer("train.steps", recipe.steps, 0);
  reader.number("train.lr", recipe.lr, 0.0, 10.0);
  reader.number("train.lr_ratio_b", recipe.lr_ratio_b, 1e-3, 1e3);
  reader.number("train.neftune_alpha", recipe.neftune_alpha, 0.0, 1e3);
  reader.number("dpo.beta", recipe.dpo_beta, 1e-6, 1e3);
  reader.number("train.warmup_share", recipe.warmup_share, 0.0, 1.0);
  reader.number("train.weight_decay", recipe.weight_decay, 0.0, 10.0);
  reader.number("train.beta1", recipe.beta1, 0.0, 0.99999);
  reader.number("train.beta2", recipe.beta2, 0.0, 0.99999);
  reader.number("train.clip", recipe.clip, 0.0, 1e9);
  reader.seed("train.seed", recipe.seed);
  reader.integer("train.checkpoint_every", recipe.checkpoint_every, 1);
  reader.integer("train.eval_every", recipe.eval_every, 1);
  reader.integer("train.patience", recipe.patience, 0);
  reader.integer("train.divergences_max", recipe.divergences_max, 0, 1000);
  PLINTH_TRY(reader.finish());
  return recipe;
}

Status TuneRecipe::check() const {
  PLINTH_TRY(check_method(*this));
  if (files.empty()) return invalid("data.files: a recipe needs at least one file");
  if (general_rise_max > 0 && replay.empty())
    return invalid("data.general_rise_max {} needs data.replay to be measured on",
                   general_rise_max);
  if (rank < 1 || rank > kRankMax) return invalid("lora.rank {} is outside 1..{}", rank, kRankMax);
  if (!(alpha > 0)) return invalid("lora.alpha {} is not positive", alpha);
  if (targets.empty()) return invalid("lora.targets names no layer");
  for (const auto& target : targets)
    if (!is_target(target)) return invalid("lora.targets {}", no_target(target));
  if (replay.empty() != (replay_share == 0.0))
    return invalid("data.replay and data.replay_share {} go together", replay_share);
  if (!(replay_share >= 0 && replay_share <= 0.95))
    return invalid("data.replay_share {} is outside 0..0.95", replay_share);
  if (!(heldout_share >= 0 && heldout_share <= 0.5))
    return invalid("data.heldout_share {} is outside 0..0.5", heldout_share);
  if (sequence < 2 || micro_tokens < sequence || batch_tokens < sequence)
    return invalid(
        "train.sequence {} must be at least 2 and at most micro_tokens {} and "
        "batch_tokens {}",
        sequence, micro_tokens, batch_tokens);
  if (steps < 0 || (steps == 0 && !(epochs > 0)))
    return invalid("train.steps {} and train.epochs {}: nothing to do", steps, epochs);
  if (checkpoint_every < 1 || eval_every < 1)
    return invalid("train.checkpoint_every {} and eval_every {} must be positive", checkpoint_every,
                   eval_every);
  return {};
}

std::map<std::string, std::string> TuneRecipe::fields() const {
  std::map<std::string, std::string> out;
  const auto put = [&out](std::string_view key, const auto& value) {
    out[std::string(key)] = fmt::format("{}", value);
  };
  put("method", name_of(kMethods, method));
  put("data.replay_share", replay_share);
  put("data.replay_target", name_of(kReplayTargets, replay_target));
  put("data.replay_weight", replay_weight);
  put("data.general_rise_max", general_rise_max);
  put("data.heldout_share", heldout_share);
  put("data.bad_rows_max", limits.bad_rows_max);
  put("data.truncated_max", limits.truncated_max);
  put("data.empty_max", limits.empty_max);
  put("data.duplicates_max", limits.duplicates_max);
  put("data.leaked_max", limits.leaked_max);
  put("lora.rank", rank);
  put("lora.alpha", alpha);
  put("lora.scaling", name_of(kScalings, scaling));
  put("lora.targets", fmt::format("{}", fmt::join(targets, " ")));
  put("train.sequence", sequence);
  put("train.batch_tokens", batch_tokens);
  put("train.micro_tokens", micro_tokens);
  put("train.memory", memory);
  put("train.epochs", epochs);
  put("train.steps", steps);
  put("train.lr", lr);
  put("train.lr_ratio_b", lr_ratio_b);
  put("train.neftune_alpha", neftune_alpha);
  put("dpo.beta", dpo_beta);
  put("train.warmup_share", warmup_share);
  put("train.weight_decay", weight_decay);
  put("train.beta1", beta1);
  put("train.beta2", beta2);
  put("train.clip", clip);
  put("train.seed", seed);
  put("train.checkpoint_every", checkpoint_every);
  put("train.eval_every", eval_every);
  put("train.patience", patience);
  put("train.divergences_max", divergences_max);
  return out;
}

}  // namespace plinth::train
