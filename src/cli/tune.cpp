#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "cli/bases.h"
#include "cli/names.h"
#include "cli/training.h"
#include "core/bytes.h"
#include "core/json.h"
#include "corpus/exam_index.h"
#include "server/chat_renderer.h"
#include "train/find_lr.h"
#include "train/suggest.h"

namespace plinth::cli {
namespace {

constexpr int kExamRun = 13;  // shared characters that make a row exam text, as in `data check`

struct Options {
  Path recipe;
  std::string base = kEmbeddedBase;
  std::vector<Path> data;
  std::vector<Path> replay;
  double replay_share = -1;
  std::vector<Path> suites;
  std::string memory;
  Path run;
  // find-lr
  double low = 1e-6;
  double high = 1e-1;
  int64_t steps = 80;
  // sweep
  std::string ranks;
  std::string rates;
  std::string epochs;
};

// All that a run needs.
struct Job {
  std::shared_ptr<const model::Model> base;
  train::TuneRecipe recipe;
  train::TuneHooks hooks;
  Path run;
};

// "run-law" for law.jsonl.zst: the same command goes on where it was.
Path default_run(const train::TuneRecipe& recipe, const Options& options) {
  Path name = (options.recipe.empty() ? recipe.files.front() : options.recipe) / "";
  name = name.parent_path().filename();
  while (name.has_extension()) name = name.stem();
  return "run-" + name.string();
}

Result<train::TuneRecipe> given_recipe(const Options& options) {
  train::TuneRecipe recipe;
  if (!options.recipe.empty()) {
    PLINTH_TRY(recipe, train::TuneRecipe::read(options.recipe));
  }
  if (!options.memory.empty()) {
    PLINTH_TRY(recipe.memory, parse_bytes(options.memory));
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

Result<Job> prepare(const Options& options, const Context& context, StepView& view) {
  Job job;
  PLINTH_TRY(job.recipe, given_recipe(options));
  PLINTH_TRY(job.base, open_base(options.base, context.home));
  job.hooks.train = view.hooks();
  if (!job.base->chat_template().empty()) {
    PLINTH_TRY(job.hooks.chat, server::chat_renderer(job.base));
  }
  if (!options.suites.empty()) {
    PLINTH_TRY(auto index, corpus::ExamIndex::read(options.suites, kExamRun));
    const auto exams = std::make_shared<const corpus::ExamIndex>(std::move(index));
    job.hooks.in_suite = [exams](std::string_view text) { return exams->touches(text); };
  }
  if (options.recipe.empty()) {
    PLINTH_TRY(auto made, train::suggest(*job.base, job.recipe, job.hooks));
    job.recipe = std::move(made.recipe);
    if (!context.quiet) fmt::print(stderr, "no recipe, so chosen from the data: {}\n", made.why);
  }
  job.run = options.run.empty() ? default_run(job.recipe, options) : options.run;
  return job;
}

Json to_json(const train::TuneSummary& summary) {
  return {{"adapter", summary.adapter.string()},
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
          {"data", train::to_json(summary.data)},
          {"replay", train::to_json(summary.replay)}};
}

void print_data(const train::DatasetReport& data) {
  fmt::print("{} rows, {} samples, {} tokens with loss, {} samples held out\n", data.rows,
             data.samples, data.loss_tokens, data.heldout_samples);
  if (data.bad_rows + data.truncated_samples + data.duplicate_rows + data.leaked_samples +
          data.suite_rows >
      0)
    fmt::print(
        "  {} bad rows, {} samples cut by {} tokens ({} of them empty now), {} repeated rows, "
        "{} leaked, {} in a suite\n",
        data.bad_rows, data.truncated_samples, data.truncated_tokens, data.lost_samples,
        data.duplicate_rows, data.leaked_samples, data.suite_rows);
  for (const auto* lines : {&data.bad, &data.noted})
    for (const auto& line : *lines) fmt::print("  {}: {}\n", line.place, line.reason);
}

Status run(const Options& options, const Context& context) {
  StepView view("tune", context);
  PLINTH_TRY(const auto job, prepare(options, context, view));
  PLINTH_TRY(const auto summary, train::tune(job.base, job.recipe, job.run, job.hooks));
  view.finish();
  if (context.json) {
    fmt::print("{}\n", to_text(to_json(summary)));
    return {};
  }
  print_data(summary.data);
  const bool pairs = job.recipe.method == train::TuneMethod::kDpo;
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
  fmt::print("{}: curves, recipe and data\n", (job.run / "report.html").string());
  return {};
}

Status find_lr(const Options& options, const Context& context) {
  StepView view("find-lr", context);
  PLINTH_TRY(const auto job, prepare(options, context, view));
  PLINTH_TRY(const auto test,
             train::find_learning_rate(job.base, job.recipe,
                                       {options.low, options.high, options.steps}, job.hooks));
  view.finish();
  if (context.json) {
    Json points = Json::array();
    for (const auto& point : test.points)
      points.push_back(
          {{"lr", point.learning_rate}, {"loss", point.loss}, {"smoothed", point.smoothed}});
    fmt::print(
        "{}\n",
        to_text({{"points", points}, {"suggested", test.suggested}, {"diverged", test.diverged}}));
    return {};
  }
  double low = 1e300;
  double high = 0;
  for (const auto& point : test.points) {
    low = std::min(low, point.smoothed);
    high = std::max(high, point.smoothed);
  }
  constexpr size_t kRows = 24;
  constexpr double kBar = 44;
  const size_t every = std::max<size_t>(1, test.points.size() / kRows);
  for (size_t i = 0; i < test.points.size(); i += every) {
    const auto& point = test.points[i];
    const double share = high > low ? (point.smoothed - low) / (high - low) : 0;
    fmt::print("{:>8.1e}  {:>7.3f}  {}\n", point.learning_rate, point.smoothed,
               std::string(static_cast<size_t>(1 + share * kBar), '#'));
  }
  if (test.suggested > 0)
    fmt::print("train.lr = {:.1e}{}\n", test.suggested,
               test.diverged ? "" : "  (the loss never ran away: --high may go further)");
  else
    fmt::print("the loss never fell: look at the data, or begin at a lower --low\n");
  return {};
}

template <typename T>
Result<std::vector<T>> numbers(std::string_view option, const std::string& list) {
  std::vector<T> values;
  for (const auto& text : split_names(list)) {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (end == text.c_str() || *end != '\0' || !(value > 0))
      return invalid("{} {}: '{}' is not a number above 0", option, list, text);
    values.push_back(static_cast<T>(value));
  }
  return values;
}

Status sweep(const Options& options, const Context& context) {
  StepView view("sweep", context);
  PLINTH_TRY(const auto job, prepare(options, context, view));
  train::SweepGrid grid;
  PLINTH_TRY(grid.ranks, numbers<int64_t>("--rank", options.ranks));
  PLINTH_TRY(grid.rates, numbers<double>("--lr", options.rates));
  PLINTH_TRY(grid.epochs, numbers<double>("--epochs", options.epochs));
  PLINTH_TRY(const auto made, train::sweep(job.base, job.recipe, grid, job.run, job.hooks));
  view.finish();
  const auto& best = made.rows[made.best];
  if (context.json) {
    Json rows = Json::array();
    for (const auto& row : made.rows) {
      Json one = to_json(row.summary);
      one["rank"] = row.rank;
      one["lr"] = row.learning_rate;
      one["epochs"] = row.epochs;
      rows.push_back(std::move(one));
    }
    fmt::print("{}\n", to_text({{"rows", rows}, {"best", made.best}}));
    return {};
  }
  fmt::print("{:>5} {:>9} {:>7} {:>7} {:>9} {:>9} {:>10}\n", "rank", "lr", "epochs", "steps",
             "held-out", "training", "best step");
  for (const auto& row : made.rows)
    fmt::print("{:>5} {:>9.1e} {:>7.2f} {:>7} {:>9.4f} {:>9.4f} {:>10}{}\n", row.rank,
               row.learning_rate, row.epochs, row.summary.steps, row.summary.heldout,
               row.summary.loss, row.summary.best_step, &row == &best ? "  <- best" : "");
  fmt::print("plain base: held-out {:.4f}\nbest: {}\n", best.summary.heldout_before,
             best.summary.adapter.string());
  return {};
}

void add_common(Command& command, const std::shared_ptr<Options>& options) {
  command.option("RECIPE", options->recipe, "TOML (default: chosen from the data and the base)");
  command.option("--base", options->base, "a base's name or path");
  command.option("--data", options->data,
                 "messages, Alpaca, ShareGPT or text JSONL; .txt and .md; a refined corpus");
  command.option("--replay", options->replay,
                 "general rows mixed in, so that the model does not forget");
  command.option("--replay-share", options->replay_share, "their share of all tokens", 0, 0.95);
  command.option("--memory", options->memory,
                 "what the run may hold, such as 4GB: layers are computed twice to keep to it");
  command.option("--suite", options->suites,
                 "exam files: rows that share text with them are left out");
}

}  // namespace

void add_tune(Command& root, const Context& context) {
  auto options = std::make_shared<Options>();
  auto command =
      root.add("tune", "train a LoRA adapter on a frozen base; goes on where it was interrupted",
               "plinth tune --base plinth-zh-base --data train.jsonl");
  add_common(command, options);
  command.option("--run", options->run, "folder of the run (default: run-NAME, after the data)");
  command.action([options, &context] { return run(*options, context); });

  auto finding = command.add("find-lr", "a short run of ever higher learning rates; suggests one",
                             "plinth tune find-lr --data train.jsonl");
  add_common(finding, options);
  finding.option("--low", options->low, "the first rate", 1e-12, 10.0);
  finding.option("--high", options->high, "the last rate", 1e-12, 100.0);
  finding.option("--steps", options->steps, "steps from one to the other", 20, 10000);
  finding.action([options, &context] { return find_lr(*options, context); });

  auto sweeping =
      command.add("sweep", "a run for each combination; picks by held-out loss",
                  "plinth tune sweep --data train.jsonl --rank 8,32 --lr 2e-4,1e-3 --epochs 2,4");
  add_common(sweeping, options);
  sweeping.option("--rank", options->ranks, "ranks, separated by commas");
  sweeping.option("--lr", options->rates, "learning rates");
  sweeping.option("--epochs", options->epochs, "epochs");
  sweeping.option("--run", options->run, "folder of the runs (default: run-NAME)");
  sweeping.action([options, &context] { return sweep(*options, context); });
}

}  // namespace plinth::cli
