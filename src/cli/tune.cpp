#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <type_traits>

#include "cli/bases.h"
#include "cli/machine.h"
#include "cli/names.h"
#include "cli/training.h"
#include "core/bytes.h"
#include "core/json.h"
#include "corpus/exam_index.h"
#include "server/chat_renderer.h"
#include "train/find_lr.h"
#include "train/peers.h"
#include "train/suggest.h"

namespace plinth::cli {
namespace {

constexpr char kOneRecipe[] = "TOML (default: chosen from the data and the base)";
constexpr int kExamRun = 13;  // shared characters that make a row exam text, as in `data check`

struct Options {
  std::vector<Path> recipes;
  std::string base = kEmbeddedBase;
  std::vector<Path> data;
  std::vector<Path> replay;
  double replay_share = -1;
  std::vector<Path> suites;
  std::string memory;
  Path run;
  bool resume = false;
  // find-lr
  double low = 1e-6;
  double high = 1e-1;
  int64_t steps = 80;
  // sweep
  std::string ranks;
  std::string rates;
  std::string epochs;
  // Of a run that a launcher started. Kept until errors have been printed: train/peers.h.
  std::unique_ptr<train::Peers> peers;

  bool helping() const { return peers && peers->rank() > 0; }
};

// All that a run needs, of one recipe or several.
struct Job {
  std::shared_ptr<const model::Model> base;
  std::vector<train::TuneMember> members;
};

// One recipe, or the empty path where none is given.
std::vector<Path> recipes_of(const Options& options) {
  return options.recipes.empty() ? std::vector<Path>(1) : options.recipes;
}

// "law" for law.toml and law.jsonl.zst.
std::string name_of(const Path& file) {
  Path name = file / "";
  name = name.parent_path().filename();
  while (name.has_extension()) name = name.stem();
  return name.string();
}

// "run-law", or --run; with several recipes a folder of each in --run. The same command goes on
// where it was.
Path run_of(const Path& named_after, const Options& options) {
  if (options.run.empty()) return "run-" + name_of(named_after);
  return options.recipes.size() > 1 ? options.run / name_of(named_after) : options.run;
}

Result<train::TuneRecipe> given_recipe(const Path& path, const Options& options) {
  train::TuneRecipe recipe;
  if (!path.empty()) {
    PLINTH_TRY(recipe, train::TuneRecipe::read(path));
  }
  if (options.recipes.size() > 1 &&
      (!options.data.empty() || !options.replay.empty() || options.replay_share >= 0))
    return invalid("--data, --replay and --replay-share go with one recipe; {} were given",
                   options.recipes.size());
  if (!options.memory.empty()) {
    PLINTH_TRY(recipe.memory, parse_bytes(options.memory));
  }
  if (!options.data.empty()) recipe.files = options.data;
  if (!options.replay.empty()) {
    recipe.replay = options.replay;
    if (recipe.replay_share == 0) recipe.replay_share = 0.35;
  }
  if (options.replay_share >= 0) recipe.replay_share = options.replay_share;
  if (recipe.files.empty())
    return invalid("nothing to learn from: give --data, or data.files in a recipe");
  return recipe;
}

Result<Job> prepare(const Options& options, const Context& context, StepView& view) {
  Job job;
  PLINTH_TRY(job.base, open_base(options.base, context.home));
  train::TuneHooks hooks;
  if (!job.base->chat_template().empty()) {
    PLINTH_TRY(hooks.chat, server::chat_renderer(job.base));
  }
  if (!options.suites.empty()) {
    PLINTH_TRY(auto index, corpus::ExamIndex::read(options.suites, kExamRun));
    const auto exams = std::make_shared<const corpus::ExamIndex>(std::move(index));
    hooks.in_suite = [exams](std::string_view text) { return exams->touches(text); };
  }
  for (const auto& path : recipes_of(options)) {
    hooks.train = view.hooks(job.members.size());
    PLINTH_TRY(auto recipe, given_recipe(path, options));
    if (auto good = recipe.check(); !good && !path.empty())
      return Error{good.error().code, path.string() + ": " + good.error().message};
    if (path.empty()) {
      PLINTH_TRY(auto made, train::suggest(*job.base, recipe, hooks));
      recipe = std::move(made.recipe);
      if (!context.quiet && !options.helping())
        fmt::print(stderr, "no recipe, so chosen from the data: {}\n", made.why);
    }
    const Path run = run_of(path.empty() ? recipe.files.front() : path, options);
    if (options.resume && !options.helping()) PLINTH_TRY(check_resumable(run));
    job.members.push_back({path.string(), std::move(recipe), run, hooks});
  }
  return job;
}

// What find-lr and sweep take.
Result<train::TuneMember> only_member(const Job& job) {
  if (job.members.size() > 1)
    return invalid("one recipe is enough; {} were given", job.members.size());
  return job.members.front();
}

Json result_json(const train::TuneSummary& summary) {
  Json all = train::to_json(summary);
  all.update({{"adapter", summary.adapter.string()},
              {"model", summary.model.string()},
              {"tokens_per_s", summary.tokens_per_s}});
  return all;
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

void print_result(const train::TuneMember& member, const train::TuneSummary& summary) {
  print_data(summary.data);
  const bool pairs = member.recipe.method == train::TuneMethod::kDpo;
  const Path& result = summary.model.empty() ? summary.adapter : summary.model;
  if (summary.heldout >= 0)
    fmt::print("{}: {} steps, held-out {:.3f} -> {:.3f} {} (step {})\n", result.string(),
               summary.steps, summary.heldout_before, summary.heldout,
               pairs ? "per pair" : "nats/token", summary.best_step);
  else
    fmt::print("{}: {} steps, nothing was held out to measure\n", result.string(), summary.steps);
  if (summary.preferred >= 0)
    fmt::print("held-out pairs that now prefer what was chosen: {:.1f} %\n",
               100 * summary.preferred);
  if (summary.general >= 0)
    fmt::print(
        "general rows not trained on: {:.3f} -> {:.3f} nats/token ({:+.3f}), strength {:.2f}\n",
        summary.general_before, summary.general, summary.general - summary.general_before,
        summary.strength);
  else if (!pairs)
    fmt::print(
        "what it forgot of general text was not measured: --replay FILE holds and measures it\n");
  fmt::print("{}: curves, recipe and data\n", (member.run_dir / "report.html").string());
}

Json to_json(const train::TuneMember& member, const Result<train::TuneSummary>& result) {
  Json one = result ? result_json(*result) : Json{{"error", result.error().message}};
  one["recipe"] = member.name;
  one["run"] = member.run_dir.string();
  return one;
}

// What several runs came to. The error, if there is one, is the first that was not asked for.
Status report(const Job& job, const std::vector<Result<train::TuneSummary>>& results,
              const Context& context) {
  Json all = Json::array();
  const Error* error = nullptr;
  size_t failed = 0;
  for (size_t i = 0; i < results.size(); ++i) {
    const auto& member = job.members[i];
    const auto& result = results[i];
    if (context.json) all.push_back(to_json(member, result));
    if (result) {
      if (!context.json) print_result(member, *result);
      continue;
    }
    fmt::print(stderr, "{}: {}\n", member.name, result.error().message);
    if (error == nullptr || error->code == Code::kCancelled) error = &result.error();
    ++failed;
  }
  if (context.json) fmt::print("{}\n", to_text({{"runs", all}}));
  if (error == nullptr) return {};
  return Error{error->code, fmt::format("{} of {} runs did not end", failed, results.size())};
}

Status run(Options& options, const Context& context) {
  PLINTH_TRY(options.peers, train::join_peers());
  std::vector<std::string> labels;
  for (const auto& path : recipes_of(options))
    labels.push_back(options.recipes.size() > 1 ? name_of(path) : "tune");
  StepView view(labels, context);
  PLINTH_TRY(auto job, prepare(options, context, view));
  const bool several = job.members.size() > 1;
  if (!several) job.members.front().name.clear();
  if (options.helping()) return train::assist_tuning(job.base, job.members, *options.peers);
  PLINTH_TRY(const auto results, train::tune_together(job.base, job.members, options.peers.get()));
  view.finish();
  if (several) return report(job, results, context);
  PLINTH_TRY(const auto summary, results.front());
  if (context.json)
    fmt::print("{}\n", to_text(result_json(summary)));
  else
    print_result(job.members.front(), summary);
  return {};
}

Status find_lr(const Options& options, const Context& context) {
  PLINTH_TRY(check_one_process("tune find-lr"));
  StepView view("find-lr", context);
  PLINTH_TRY(const auto job, prepare(options, context, view));
  PLINTH_TRY(const auto member, only_member(job));
  PLINTH_TRY(const auto test,
             train::find_learning_rate(job.base, member.recipe,
                                       {options.low, options.high, options.steps}, member.hooks));
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
    if (std::is_integral_v<T> && (value != std::floor(value) || value > 1e9))
      return invalid("{} {}: '{}' is not a whole number", option, list, text);
    values.push_back(static_cast<T>(value));
  }
  return values;
}

void print_table(std::span<const train::TuneMember> members, const train::Sweep& made) {
  fmt::print("{:>5} {:>9} {:>7} {:>7} {:>9} {:>9} {:>10}\n", "rank", "lr", "epochs", "steps",
             "held-out", "training", "best step");
  for (size_t i = 0; i < members.size(); ++i) {
    const auto& recipe = members[i].recipe;
    fmt::print("{:>5} {:>9.1e} {:>7.2f} ", recipe.rank, recipe.lr, recipe.epochs);
    const auto& result = made.results[i];
    if (result)
      fmt::print("{:>7} {:>9.4f} {:>9.4f} {:>10}{}\n", result->steps, result->heldout, result->loss,
                 result->best_step, i == made.best ? "  <- best" : "");
    else
      fmt::print("{}\n", result.error().message);
  }
  const auto& best = *made.results[made.best];
  fmt::print("plain base: held-out {:.4f}\nbest: {}\n", best.heldout_before,
             (best.model.empty() ? best.adapter : best.model).string());
}

Status sweep(const Options& options, const Context& context) {
  PLINTH_TRY(check_one_process("tune sweep"));
  StepView none("sweep", context);
  PLINTH_TRY(const auto job, prepare(options, context, none));
  PLINTH_TRY(const auto member, only_member(job));
  train::SweepGrid grid;
  PLINTH_TRY(grid.ranks, numbers<int64_t>("--rank", options.ranks));
  PLINTH_TRY(grid.rates, numbers<double>("--lr", options.rates));
  PLINTH_TRY(grid.epochs, numbers<double>("--epochs", options.epochs));
  auto members = train::sweep_members(member.recipe, grid, member.run_dir, member.hooks);
  std::vector<std::string> labels;
  for (const auto& one : members) labels.push_back(one.name);
  StepView view(labels, context);
  for (size_t i = 0; i < members.size(); ++i) members[i].hooks.train = view.hooks(i);
  PLINTH_TRY(const auto made,
             train::sweep(job.base, members, describe_machine().memory_available_bytes));
  view.finish();
  if (context.json) {
    Json rows = Json::array();
    for (size_t i = 0; i < members.size(); ++i) {
      Json one = to_json(members[i], made.results[i]);
      one["rank"] = members[i].recipe.rank;
      one["lr"] = members[i].recipe.lr;
      one["epochs"] = members[i].recipe.epochs;
      rows.push_back(std::move(one));
    }
    fmt::print("{}\n", to_text({{"rows", rows}, {"best", made.best}}));
    return {};
  }
  print_table(members, made);
  return {};
}

void add_common(Command& command, const std::shared_ptr<Options>& options,
                const std::string& recipe_help) {
  command.option("RECIPE", options->recipes, recipe_help);
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
  add_common(command, options,
             "TOML (default: chosen from the data and the base); several are trained in one batch");
  command.option("--run", options->run,
                 "folder of the run (default: run-NAME, after the data); of several recipes the "
                 "folder of their runs");
  command.flag("--resume", options->resume,
               "only go on: an error where the folder holds no checkpoint to go on from");
  command.action([options, &context] { return run(*options, context); });

  auto finding = command.add("find-lr", "a short run of ever higher learning rates; suggests one",
                             "plinth tune find-lr --data train.jsonl");
  add_common(finding, options, kOneRecipe);
  finding.option("--low", options->low, "the first rate", 1e-12, 10.0);
  finding.option("--high", options->high, "the last rate", 1e-12, 100.0);
  finding.option("--steps", options->steps, "steps from one to the other", 20, 10000);
  finding.action([options, &context] { return find_lr(*options, context); });

  auto sweeping =
      command.add("sweep", "a run for each combination; picks by held-out loss",
                  "plinth tune sweep --data train.jsonl --rank 8,32 --lr 2e-4,1e-3 --epochs 2,4");
  add_common(sweeping, options, kOneRecipe);
  sweeping.option("--rank", options->ranks, "ranks, separated by commas");
  sweeping.option("--lr", options->rates, "learning rates");
  sweeping.option("--epochs", options->epochs, "epochs");
  sweeping.option("--run", options->run, "folder of the runs (default: run-NAME)");
  sweeping.action([options, &context] { return sweep(*options, context); });
}

}  // namespace plinth::cli
