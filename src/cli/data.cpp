#include "cli/command.h"
#include "cli/data_show.h"
#include "core/json.h"
#include "corpus/corpus.h"

namespace plinth::cli {
namespace {

struct Options {
  Path in;
  Path out;
  std::vector<Path> suites;
  int64_t seed = 1;
  std::string rows = "all";
};

Status build(const Options& options, const Context& context) {
  corpus::BuildOptions build_options;
  build_options.seed = static_cast<uint64_t>(options.seed);
  if (options.rows != "all" && options.rows != "text" && options.rows != "questions")
    return invalid("--rows {} is none of: all, text, questions", options.rows);
  build_options.text_rows = options.rows != "questions";
  build_options.question_rows = options.rows != "text";
  PLINTH_TRY(const auto report,
             corpus::build_dataset(options.in, options.suites, options.out, build_options));
  if (context.json) {
    fmt::print("{}\n", report.json);
    return {};
  }
  fmt::print("{} rows ({} text, {} questions), {} duplicates and {} exam leaks dropped\n",
             report.rows, report.text_rows, report.message_rows, report.duplicates, report.leaks);
  for (const auto& [generator, n] : report.by_generator) fmt::print("  {:<24} {}\n", generator, n);
  return {};
}

Status check(const Options& options, const Context& context) {
  PLINTH_TRY(const auto report, corpus::check_dataset(options.in, options.suites));
  if (context.json) {
    fmt::print("{}\n", report.json);
  } else {
    fmt::print("{} rows ({} text, {} questions), {} bad, {} duplicates, {} exam leaks\n",
               report.rows, report.text_rows, report.message_rows, report.bad, report.duplicates,
               report.leaks);
    for (const auto& problem : report.problems) fmt::print("  {}\n", problem);
  }
  if (!report.fine())
    return invalid("{}: {} rows, {} bad, {} exam leaks", options.in.string(), report.rows,
                   report.bad, report.leaks);
  return {};
}

}  // namespace

void add_data(Command& root, const Context& context) {
  auto options = std::make_shared<Options>();
  auto group = root.add("data", "training data: build from a corpus, check, show",
                        "plinth data check train.jsonl");

  auto building = group.add("build", "training rows from a refined corpus",
                            "plinth data build ./corpus -o train.jsonl --suite exam.jsonl");
  building.option("CORPUS", options->in, "a refined corpus", true);
  building.option("-o,--out", options->out, "the JSONL file to write", true);
  building.option("--suite", options->suites,
                  "exam files: rows that share text with them are dropped");
  building.option("--rows", options->rows, "all, text (the documents) or questions (about them)");
  building.option("--seed", options->seed, "order and sampling", 0, INT64_MAX);
  building.action([options, &context] { return build(*options, context); });

  auto checking = group.add("check", "validate a training file line by line",
                            "plinth data check train.jsonl --suite exam.jsonl");
  checking.option("FILE", options->in, "messages or text JSONL", true);
  checking.option("--suite", options->suites, "exam files that must not leak into it");
  checking.action([options, &context] { return check(*options, context); });

  add_data_show(group, context);
}

}  // namespace plinth::cli
