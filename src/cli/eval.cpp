#include "eval/eval.h"

#include "cli/bases.h"
#include "cli/command.h"
#include "core/json.h"
#include "core/progress.h"
#include "eval/divergence.h"
#include "eval/kneser_ney.h"
#include "eval/verdict.h"
#include "server/examination.h"
#include "train/train.h"

namespace plinth::cli {
namespace {

struct Options {
  std::string model;
  std::vector<Path> suites;
  Path out;
  std::string against;
  std::string reference;
  Path domain;
  Path general;
  double tolerance = 0.05;
  std::string baseline;
  Path recipe;
  int64_t seed = 1;
};

// A model with what it takes to examine it.
struct Examinee {
  Loaded loaded;
  std::unique_ptr<engine::Engine> engine;
  eval::EvalOptions options;
};

Result<Examinee> prepare(const std::string& model, const Options& options, const Context& context) {
  Examinee examinee;
  PLINTH_TRY(examinee.loaded, open_model(model, context.home));
  PLINTH_TRY(examinee.engine, engine::Engine::start(examinee.loaded.base, {}));
  PLINTH_TRY(examinee.options,
             server::examination(examinee.loaded.base, static_cast<uint64_t>(options.seed)));
  return examinee;
}

Result<eval::SuiteResult> examine(Examinee& examinee,
                                  const std::shared_ptr<const model::Adapter>& adapter,
                                  const eval::Suite& suite, const std::string& label,
                                  const Context& context) {
  Progress progress(label, static_cast<int64_t>(suite.items.size()), context.quiet);
  examinee.options.progress = [&](int64_t done, int64_t) { progress.update(done); };
  auto result = eval::run_suite(*examinee.engine, adapter, suite, examinee.options);
  if (result) progress.finish();
  return result;
}

Status run_suites(const Options& options, const Context& context) {
  PLINTH_TRY(auto examinee, prepare(options.model, options, context));
  Json rows = Json::array();
  for (const auto& path : options.suites) {
    PLINTH_TRY(const auto suite, eval::read_suite(path));
    PLINTH_TRY(const auto result,
               examine(examinee, examinee.loaded.adapter, suite, suite.name, context));
    if (!options.out.empty()) {
      const Path folder = options.suites.size() == 1 ? options.out : options.out / suite.name;
      PLINTH_TRY(eval::write_result(folder, result));
    }
    if (context.json)
      rows.push_back({{"suite", result.suite},
                      {"metric", result.metric},
                      {"mean", result.interval.mean},
                      {"lo", result.interval.lo},
                      {"hi", result.interval.hi},
                      {"items", result.items.size()}});
    else
      fmt::print("{:<16} {}\n", result.suite, eval::describe(result));
  }
  if (context.json) fmt::print("{}\n", to_text({{"model", options.model}, {"results", rows}}));
  return {};
}

// The domain model against its base, on the same engine: the adapter is the only difference.
Status prove(const Options& options, const Context& context) {
  PLINTH_TRY(auto examinee, prepare(options.model, options, context));
  PLINTH_TRY(const auto against, open_model(options.against, context.home));
  if (against.base->digest() != examinee.loaded.base->digest())
    return invalid("{} and {} do not stand on the same base", options.model, options.against);
  PLINTH_TRY(const auto domain, eval::read_suite(options.domain));
  PLINTH_TRY(const auto general, eval::read_suite(options.general));
  const auto& adapter = examinee.loaded.adapter;
  PLINTH_TRY(const auto domain_base,
             examine(examinee, against.adapter, domain, domain.name + ", base", context));
  PLINTH_TRY(const auto domain_tuned,
             examine(examinee, adapter, domain, domain.name + ", domain model", context));
  PLINTH_TRY(const auto general_base,
             examine(examinee, against.adapter, general, general.name + ", base", context));
  PLINTH_TRY(const auto general_tuned,
             examine(examinee, adapter, general, general.name + ", domain model", context));
  eval::Gate gate;
  gate.tolerance_bpc = options.tolerance;
  gate.seed = static_cast<uint64_t>(options.seed);
  PLINTH_TRY(auto verdict,
             eval::judge({domain_base, domain_tuned, general_base, general_tuned}, gate));
  verdict.base = examinee.loaded.base->digest();
  verdict.adapter = eval::identity_of(adapter.get());
  if (!options.out.empty()) {
    PLINTH_TRY(eval::write_result(options.out / "domain-base", domain_base));
    PLINTH_TRY(eval::write_result(options.out / "domain-tuned", domain_tuned));
    PLINTH_TRY(eval::write_result(options.out / "general-base", general_base));
    PLINTH_TRY(eval::write_result(options.out / "general-tuned", general_tuned));
    PLINTH_TRY(eval::write_verdict(options.out, verdict));
  }
  fmt::print("{}\n", context.json ? eval::to_json_text(verdict) : eval::render(verdict));
  return {};
}

// How far the model's distributions are from the reference's on texts.
Status compare_distributions(const Options& options, const Context& context) {
  PLINTH_TRY(const auto model, prepare(options.model, options, context));
  PLINTH_TRY(const auto reference, prepare(options.reference, options, context));
  Json rows = Json::array();
  for (const auto& path : options.suites) {
    PLINTH_TRY(const auto suite, eval::read_suite(path));
    Progress progress(suite.name, 0, context.quiet);
    PLINTH_TRY(const auto result,
               eval::divergence({*model.engine, model.loaded.adapter},
                                {*reference.engine, reference.loaded.adapter}, suite,
                                static_cast<uint64_t>(options.seed),
                                [&](int64_t done, int64_t) { progress.update(done); }));
    progress.finish();
    if (context.json)
      rows.push_back({{"suite", suite.name},
                      {"divergence", result.nats.mean},
                      {"lo", result.nats.lo},
                      {"hi", result.nats.hi},
                      {"same_best", result.same_best},
                      {"nats_per_token", result.nats_per_token},
                      {"nats_per_token_reference", result.nats_per_token_reference},
                      {"positions", result.positions}});
    else
      fmt::print(
          "{:<16} divergence {:.6f} nats [{:.6f}, {:.6f}]  {} positions\n{:16} the same most "
          "likely token at {:.2f} % of them; {:.4f} nats a token, the reference {:.4f}\n",
          suite.name, result.nats.mean, result.nats.lo, result.nats.hi, result.positions, "",
          100 * result.same_best, result.nats_per_token, result.nats_per_token_reference);
  }
  if (context.json)
    fmt::print(
        "{}\n",
        to_text({{"model", options.model}, {"reference", options.reference}, {"results", rows}}));
  return {};
}

// What a model must beat to have learnt anything, on the held-out text of a pretraining recipe.
Status baseline(const Options& options, const Context& context) {
  if (options.baseline != "kn5") return invalid("--baseline {}: is not kn5", options.baseline);
  if (options.recipe.empty())
    return invalid("--baseline needs the --recipe whose text it learns from");
  PLINTH_TRY(const auto recipe, train::PretrainRecipe::read(options.recipe));
  PLINTH_TRY(const auto texts, train::read_texts(recipe));
  const std::vector<std::string_view> training(texts.training.begin(), texts.training.end());
  const std::vector<std::string_view> heldout(texts.heldout.begin(), texts.heldout.end());
  PLINTH_TRY(const auto model, eval::KneserNey::train(training));
  PLINTH_TRY(const double bits, model.bits_per_character(heldout));
  if (context.json)
    fmt::print("{}\n", to_text({{"baseline", "kn5"},
                                {"bits_per_character", bits},
                                {"training_documents", training.size()},
                                {"heldout_documents", heldout.size()}}));
  else
    fmt::print("kn5: {:.3f} bits/character on {} held-out documents, learnt from {}\n", bits,
               heldout.size(), training.size());
  return {};
}

Status run(const Options& options, const Context& context) {
  if (!options.baseline.empty()) return baseline(options, context);
  if (options.model.empty()) return invalid("which MODEL? (or --baseline)");
  if (!options.against.empty()) {
    if (options.domain.empty() || options.general.empty())
      return invalid("--against needs --domain and --general: a domain model stands on two legs");
    return prove(options, context);
  }
  if (options.suites.empty()) return invalid("nothing to do: give --suite, or --against");
  return options.reference.empty() ? run_suites(options, context)
                                   : compare_distributions(options, context);
}

}  // namespace

void add_eval(Command& root, const Context& context) {
  auto options = std::make_shared<Options>();
  auto command =
      root.add("eval", "prove a model: suites with intervals, or a domain model against its base",
               "plinth eval plinth-zh-base+run/adapter --against plinth-zh-base "
               "--domain exam.jsonl --general general.jsonl -o proof");
  command.option("MODEL", options->model, "a name, a path, or base+adapter");
  command.option("--suite", options->suites, "JSONL questions, or text for bits per character");
  command.option("-o,--out", options->out, "folder for results and every item's prediction");
  command.option(
      "--reference", options->reference,
      "with --suite: how far the next token's distribution is from this model's on text");
  command.option("--against", options->against, "the base to compare with");
  command.option("--domain", options->domain, "with --against: the domain suite");
  command.option("--general", options->general, "with --against: the general text suite");
  command.option("--tolerance", options->tolerance, "general loss allowed, bits per character", 0,
                 10);
  command.option("--seed", options->seed, "of the bootstrap", 0, INT64_MAX);
  command.option("--baseline", options->baseline,
                 "kn5: character 5-grams with Kneser-Ney smoothing");
  command.option("--recipe", options->recipe, "with --baseline: the pretraining recipe");
  command.action([options, &context] { return run(*options, context); });
}

}  // namespace plinth::cli
