#include "cli/command.h"
#include "core/json.h"
#include "core/progress.h"
#include "corpus/corpus.h"

namespace plinth::cli {
namespace {

struct Options {
  std::vector<Path> inputs;
  Path out;
  Path recipe;
  std::vector<Path> suites;
  int64_t rank = 0;
  int64_t world = 1;
};

Status print(const corpus::RefineReport& report, const Path& out, const Context& context) {
  if (context.json) {
    fmt::print("{}\n", report.json);
    return {};
  }
  fmt::print("{} files, {} documents in, {} kept, {} rejected, {:.1f} s\n", report.files,
             report.documents_in, report.documents_out, report.rejects, report.seconds);
  for (const auto& [kind, n] : report.found) fmt::print("  {:<24} {}\n", kind, n);
  fmt::print("report: {}\n", (out / "report.html").string());
  return {};
}

// What was done stays in OUT.work: say so, whatever ended the run.
Error with_advice(Error error, const Path& out) {
  std::error_code code;
  Path work = out.has_filename() ? out : out.parent_path();
  work += ".work";
  if (std::filesystem::exists(work / "plan.json", code))
    error.message += fmt::format("; the same command goes on from {}", work.string());
  return error;
}

Status run(const Options& options, const Context& context) {
  corpus::RefineOptions refine;
  refine.inputs = options.inputs;
  refine.out = options.out;
  refine.suites = options.suites;
  if (!options.recipe.empty()) {
    PLINTH_TRY(refine.recipe, corpus::read_recipe(options.recipe));
  }
  refine.rank = static_cast<int>(options.rank);
  refine.world = static_cast<int>(options.world);
  if (refine.rank >= refine.world)
    return invalid("--rank {}: with --world {} it is 0..{}", refine.rank, refine.world,
                   refine.world - 1);
  Progress progress("refine", 0, context.quiet || context.json);
  auto report = corpus::refine(refine, [&](uint64_t done, uint64_t total) {
    progress.update(static_cast<int64_t>(done), fmt::format("of {} bytes", total));
  });
  if (!report) return with_advice(std::move(report).error(), options.out);
  progress.finish();
  if (options.world == 1) return print(*report, options.out, context);
  if (context.json) {
    fmt::print("{}\n", report->json);
    return {};
  }
  fmt::print("part {} of {}: {} documents in, {} rejected so far: {}\n", options.rank,
             options.world, report->documents_in, report->rejects, options.out.string());
  return {};
}

Status merge(const std::vector<Path>& parts, const Path& out, const Context& context) {
  auto report = corpus::merge_parts(parts, out);
  if (!report) return with_advice(std::move(report).error(), out);
  return print(*report, out, context);
}

struct TraceOptions {
  Path corpus;
  std::string id;
  std::vector<Path> inputs;
};

// ID, or ID:BYTE.
Status trace(const TraceOptions& options) {
  const size_t colon = options.id.find(':');
  if (colon == options.id.npos) {
    PLINTH_TRY(const auto line, corpus::trace(options.corpus, options.id));
    fmt::print("{}\n", line);
    return {};
  }
  const std::string number = options.id.substr(colon + 1);
  if (number.empty() || number.size() > 18 || number.find_first_not_of("0123456789") != number.npos)
    return invalid("trace {}: \"{}\" is no byte of a text", options.id, number);
  PLINTH_TRY(const auto place, corpus::trace_byte(options.corpus, options.id.substr(0, colon),
                                                  std::stoull(number), options.inputs));
  fmt::print("{}\n", place);
  return {};
}

struct ReviewOptions {
  Path corpus;
  Path out;
  Path sheet;
  int64_t sample = 1000;
  int64_t seed = 1;
};

Status review(const ReviewOptions& options) {
  corpus::ReviewOptions how;
  how.sample = options.sample;
  how.seed = static_cast<uint64_t>(options.seed);
  PLINTH_TRY(const int64_t drawn, corpus::write_review(options.corpus, options.out, how));
  fmt::print("{} documents in {}\n", drawn, (options.out / "sheet.csv").string());
  return {};
}

Status verdicts(const Path& sheet, const Context& context) {
  PLINTH_TRY(const auto report, corpus::read_verdicts(sheet));
  if (context.json) {
    fmt::print("{}\n", report.json);
    return {};
  }
  const auto line = [](std::string_view name, const corpus::PassRate& rate) {
    const auto interval = rate.interval();
    fmt::print("{:<24} {} of {} passed: {:.2f} % ({:.2f}..{:.2f} %)\n", name, rate.passed,
               rate.reviewed, rate.rate() * 100, interval.lo * 100, interval.hi * 100);
  };
  line("all", report.all);
  for (const auto& [source, rate] : report.by_source) line(source, rate);
  for (const auto& [id, n] : report.failed_by_class)
    fmt::print("failed, class {:<10} {}\n", id.empty() ? "not given" : id, n);
  if (report.open > 0) fmt::print("{} without a verdict\n", report.open);
  return {};
}

struct QualityOptions {
  Path good;
  Path bad;
  Path out;
  int64_t seed = 1;
};

Status train_quality(const QualityOptions& options) {
  PLINTH_TRY(const auto report, corpus::train_quality_model(options.good, options.bad, options.out,
                                                            static_cast<uint64_t>(options.seed)));
  fmt::print("{}\n", report);
  return {};
}

void print_stages(const std::map<std::string, int64_t>& stages) {
  for (const auto& [stage, n] : stages) fmt::print("  {:<24} {}\n", stage, n);
}

Status diff(const Path& a, const Path& b, const Context& context) {
  PLINTH_TRY(const auto found, corpus::diff_corpora(a, b));
  if (context.json) {
    fmt::print("{}", found.json);
    return {};
  }
  for (const auto& change : found.recipe) fmt::print("recipe: {}\n", change);
  fmt::print("{} the same, {} changed\n", found.same, found.changed);
  fmt::print("{} appeared, before:\n", found.appeared);
  print_stages(found.appeared_by_stage);
  fmt::print("{} gone, now:\n", found.gone);
  print_stages(found.gone_by_stage);
  return {};
}

}  // namespace

void add_refine(Command& root, const Context& context) {
  auto options = std::make_shared<Options>();
  auto command = root.add("refine", "raw documents to a clean, traceable corpus",
                          "plinth refine ./documents -o ./corpus --suite exam.jsonl");
  command.option("IN", options->inputs, "files and folders", true);
  command.option("-o,--out", options->out, "the corpus folder; replaced as a whole when complete",
                 true);
  command.option("--recipe", options->recipe, "TOML with a [refine] table");
  command.option("--suite", options->suites,
                 "exam files whose questions must not be in the corpus");
  command.option("--world", options->world, "machines that share the work", 1, 1 << 20);
  command.option("--rank", options->rank,
                 "this machine's number, from 0: OUT becomes a part for `refine merge`", 0,
                 1 << 20);
  command.action([options, &context] { return run(*options, context); });

  auto parts = std::make_shared<std::vector<Path>>();
  auto merged = std::make_shared<Path>();
  auto merging = command.add("merge", "the parts of several machines to one corpus, checked",
                             "plinth refine merge part-0 part-1 part-2 -o corpus");
  merging.option("PART", *parts, "what refine --rank --world made, of every rank", true);
  merging.option("-o,--out", *merged, "the corpus folder", true);
  merging.action([parts, merged, &context] { return merge(*parts, *merged, context); });

  auto reviewed = std::make_shared<ReviewOptions>();
  auto reviewing = command.add("review", "a random sample as sheets for people (CSV and HTML)",
                               "plinth refine review ./corpus -o sheets --sample 4000 --seed 7");
  reviewing.option("CORPUS", reviewed->corpus, "a refined corpus", true);
  reviewing.option("-o,--out", reviewed->out, "the folder for sheet.csv and sheet.html", true);
  reviewing.option("--sample", reviewed->sample, "documents to draw", 1, 1'000'000);
  reviewing.option("--seed", reviewed->seed, "of the draw", 0, INT64_MAX);
  reviewing.action([reviewed] { return review(*reviewed); });

  auto judging = command.add("verdicts", "pass rates with 95 % intervals from a sheet filled in",
                             "plinth refine verdicts sheets/sheet.csv");
  judging.option("SHEET", reviewed->sheet, "sheet.csv with its verdict column filled in", true);
  judging.action([reviewed, &context] { return verdicts(reviewed->sheet, context); });

  auto quality = std::make_shared<QualityOptions>();
  auto training = command.add("train-quality", "a quality model from good and bad examples",
                              "plinth refine train-quality ./good ./bad --out quality.bin");
  training.option("GOOD", quality->good, "a folder of texts to be like", true);
  training.option("BAD", quality->bad, "a folder of texts to be rid of", true);
  training.option("-o,--out", quality->out, "the model file", true);
  training.option("--seed", quality->seed, "of order and split", 0, INT64_MAX);
  training.action([quality] { return train_quality(*quality); });

  auto tracing_options = std::make_shared<TraceOptions>();
  auto tracing = root.add("trace", "one document or reject of a corpus, and where it came from",
                          "plinth trace ./corpus 3f9a0c5d11e2aa01:420 --input ./documents");
  tracing.option("CORPUS", tracing_options->corpus, "a refined corpus", true);
  tracing.option("ID", tracing_options->id, "a document's id; ID:BYTE for a byte of its text",
                 true);
  tracing.option("--input", tracing_options->inputs,
                 "the inputs as refine had them: back to the bytes of the file");
  tracing.action([tracing_options] { return trace(*tracing_options); });

  auto a = std::make_shared<Path>(), b = std::make_shared<Path>();
  auto differing = root.add("diff", "what changed between two refined corpora, and why",
                            "plinth diff ./corpus-may ./corpus-june --json");
  differing.option("A", *a, "a refined corpus", true);
  differing.option("B", *b, "a later one", true);
  differing.action([a, b, &context] { return diff(*a, *b, context); });
}

}  // namespace plinth::cli
