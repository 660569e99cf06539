#include "cli/training.h"
#include "core/json.h"

namespace plinth::cli {
namespace {

struct Options {
  Path recipe;
  Path run;
  std::string type = "f16";
  bool resume = false;
};

Status run(const Options& options, const Context& context) {
  PLINTH_TRY(check_one_process("pretrain"));
  train::PretrainOptions pretrain;
  if (options.type == "f32")
    pretrain.type = tensor::DType::kF32;
  else if (options.type == "f16")
    pretrain.type = tensor::DType::kF16;
  else if (options.type == "q8_0")
    pretrain.type = tensor::DType::kQ8_0;
  else
    return invalid("--type {}: is not f32, f16 or q8_0", options.type);
  if (options.resume) PLINTH_TRY(check_resumable(options.run));
  PLINTH_TRY(const auto recipe, train::PretrainRecipe::read(options.recipe));
  StepView view("pretrain", context);
  PLINTH_TRY(const auto summary, train::pretrain(recipe, options.run, pretrain, view.hooks()));
  view.finish();
  if (context.json) {
    fmt::print("{}\n", to_text({{"base", summary.base.string()},
                                {"steps", summary.steps},
                                {"tokens", summary.tokens},
                                {"loss", summary.loss},
                                {"heldout_nats", summary.heldout_nats},
                                {"heldout_bpc", summary.heldout_bpc},
                                {"tokens_per_s", summary.tokens_per_s}}));
    return {};
  }
  fmt::print("{}: {} steps, {} tokens, held-out {:.3f} nats/token, {:.3f} bits/character\n",
             summary.base.string(), summary.steps, summary.tokens, summary.heldout_nats,
             summary.heldout_bpc);
  return {};
}

}  // namespace

void add_pretrain(Command& root, const Context& context) {
  auto options = std::make_shared<Options>();
  auto command = root.add("pretrain", "train a base from nothing; goes on where it was interrupted",
                          "plinth pretrain recipes/plinth-zh-base.toml --run build/plinth-zh-base");
  command.option("RECIPE", options->recipe, "TOML: model, tokenizer, data, training", true);
  command.option("--run", options->run, "folder of the run", true);
  command.option("--type", options->type, "matrices of the written base: f32, f16 or q8_0");
  command.flag("--resume", options->resume,
               "only go on: an error where the folder holds no checkpoint to go on from");
  command.action([options, &context] { return run(*options, context); });
}

}  // namespace plinth::cli
