#include "cli/bases.h"
#include "cli/prompts.h"
#include "cli/training.h"
#include "core/json.h"

namespace plinth::cli {
namespace {

struct Options {
  Path recipe;
  std::string base = kEmbeddedBase;
  std::vector<Path> data;
  std::vector<Path> replay;
  double replay_share = -1;
  Path run;
};

Result<train::TuneRecipe> make_recipe(const Options& options) {
  train::TuneRecipe recipe;
  if (!options.recipe.empty()) {
    PLINTH_TRY(recipe, train::TuneRecipe::read(options.recipe));
  }
  if (!options.data.empty()) recipe.files = options.data;
  if (!options.replay.empty()) {
    recipe.replay = options.replay;
    if (recipe.replay_share == 0) recipe.replay_share = 0.25;
  }
  if (options.replay_share >= 0) recipe.replay_share = options.replay_share;
  if (recipe.files.empty())
    return invalid("nothing to learn from: give --data, or data.files in a recipe");
  return recipe;
}

Json to_json(const train::DatasetReport& data) {
  Json bad = Json::array();
  for (const auto& line : data.bad) bad.push_back({{"place", line.place}, {"reason", line.reason}});
  return {{"rows", data.rows},
          {"bad_rows", data.bad_rows},
          {"bad", bad},
          {"samples", data.samples},
          {"tokens", data.tokens},
          {"loss_tokens", data.loss_tokens},
          {"truncated_samples", data.truncated_samples},
          {"truncated_tokens", data.truncated_tokens}};
}

Status run(const Options& options, const Context& context) {
  PLINTH_TRY(const auto recipe, make_recipe(options));
  PLINTH_TRY(const auto base, open_base(options.base, context.home));
  StepView view("tune", context);
  train::TuneHooks hooks;
  hooks.train = view.hooks();
  if (!base->chat_template().empty()) {
    PLINTH_TRY(hooks.chat, chat_renderer(base));
  }
  PLINTH_TRY(const auto summary, train::tune(base, recipe, options.run, hooks));
  view.finish();
  if (context.json) {
    fmt::print("{}\n", to_text({{"adapter", summary.adapter.string()},
                                {"model", summary.model.string()},
                                {"preferred", summary.preferred},
                                {"steps", summary.steps},
                                {"tokens", summary.tokens},
                                {"loss", summary.loss},
                                {"heldout_before", summary.heldout_before},
                                {"heldout", summary.heldout},
                                {"best_step", summary.best_step},
                                {"general_before", summary.general_before},
                                {"general", summary.general},
                                {"strength", summary.strength},
                                {"tokens_per_s", summary.tokens_per_s},
                                {"data", to_json(summary.data)},
                                {"replay", to_json(summary.replay)}}));
    return {};
  }
  const auto& data = summary.data;
  fmt::print(
      "{} rows, {} samples, {} tokens with loss; {} bad rows, {} samples truncated by {} tokens\n",
      data.rows, data.samples, data.loss_tokens, data.bad_rows, data.truncated_samples,
      data.truncated_tokens);
  for (const auto& line : data.bad) fmt::print("  {}: {}\n", line.place, line.reason);
  const bool pairs = recipe.method == train::TuneMethod::kDpo;
  const Path& result = summary.model.empty() ? summary.adapter : summary.model;
  fmt::print("{}: {} steps, held-out {:.3f} -> {:.3f} {} (step {})\n", result.string(),
             summary.steps, summary.heldout_before, summary.heldout,
             pairs ? "per pair" : "nats/token", summary.best_step);
  if (summary.preferred >= 0)
    fmt::print("held-out pairs that now prefer what was chosen: {:.1f} %\n",
               100 * summary.preferred);
  if (summary.general >= 0)
    fmt::print("general rows not trained on: {:.3f} -> {:.3f} nats/token, strength {:.2f}\n",
               summary.general_before, summary.general, summary.strength);
  return {};
}

}  // namespace

void add_tune(Command& root, const Context& context) {
  auto options = std::make_shared<Options>();
  auto command =
      root.add("tune", "train a LoRA adapter on a frozen base; goes on where it was interrupted",
               "plinth tune --base plinth-zh-base --data train.jsonl --run run");
  command.option("RECIPE", options->recipe, "TOML (default: sane values)");
  command.option("--base", options->base, "a base's name or path");
  command.option("--data", options->data, "messages, Alpaca, ShareGPT or text JSONL");
  command.option("--replay", options->replay,
                 "general rows mixed in, so that the model does not forget");
  command.option("--replay-share", options->replay_share, "their share of all tokens", 0, 0.95);
  command.option("--run", options->run, "folder of the run", true);
  command.action([options, &context] { return run(*options, context); });
}

}  // namespace plinth::cli
