#include <algorithm>

#include "cli/command.h"
#include "core/clock.h"
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
  bool dry_run = false;
  int64_t sample_mb = 64;
};

// A line for each stage: how far, how fast, how long still.
class StageProgress {
 public:
  explicit StageProgress(bool quiet) : quiet_(quiet) {}

  void update(std::string_view stage, uint64_t done, uint64_t total) {
    if (stage != stage_) {
      finish();
      stage_ = stage;
      first_ = done;
      watch_ = Stopwatch();
      line_ = std::make_unique<Progress>(fmt::format("refine: {}", stage),
                                         static_cast<int64_t>(total), quiet_);
    }
    const double rate = static_cast<double>(done - std::min(first_, done)) / watch_.seconds();
    line_->update(static_cast<int64_t>(done), stage.ends_with("bytes") && rate > 0
                                                  ? fmt::format("{:.1f} MB/s", rate / 1e6)
                                                  : "");
  }

  void finish() {
    if (line_) line_->finish();
    line_.reset();
  }

 private:
  bool quiet_;
  std::string stage_;
  uint64_t first_ = 0;  // what an earlier start had done does not count for the rate
  Stopwatch watch_;
  std::unique_ptr<Progress> line_;
};

Status print(const corpus::RefineReport& report, const Path& out, const Context& context) {
  if (context.json) {
    fmt::print("{}\n", report.json);
    return {};
  }
  fmt::print("{} files, {} documents in, {} kept, {} rejected, {:.1f} s\n", report.files,
             report.documents_in, report.documents_out, report.rejects, report.seconds);
  for (const auto& [kind, n] : report.found)
    if (n > 0) fmt::print("  {:<24} {}\n", kind, n);
  fmt::print("report: {}\n", (out / "report.html").string());
  return {};
}

// One rule after the other: how many documents and characters, and what that looks like.
Status print_dry_run(const corpus::RefineReport& report, const Context& context) {
  if (context.json) {
    fmt::print("{}\n", report.json);
    return {};
  }
  PLINTH_TRY(const Json json, parse_json(report.json, "report.json"));
  const auto short_line = [](const std::string& text) {
    std::string out = text;
    std::replace(out.begin(), out.end(), '\n', ' ');
    return out;
  };
  fmt::print("a sample of {} files, {:.1f} MB: {} documents, {} would stay. Nothing was written.\n",
             report.files, static_cast<double>(report.bytes_in) / 1e6, report.documents_in,
             report.documents_out);
  fmt::print("\nrules that change text        documents  characters\n");
  for (const auto& [name, rule] : json["rules"].items()) {
    fmt::print("  {:<26} {:>10} {:>11}\n", name, int_or(rule, "documents", 0),
               int_or(rule, "chars", 0));
    size_t shown = 0;
    for (const Json& e : rule["examples"]) {
      if (++shown > 3) break;
      fmt::print("      {}\n        - {}\n", string_or(e, "path", ""),
                 short_line(string_or(e, "before", "")));
      if (const auto after = string_or(e, "after", ""); !after.empty())
        fmt::print("        + {}\n", short_line(after));
    }
  }
  fmt::print("\nrules that drop documents     documents  characters\n");
  for (const auto& [stage, n] : json["rejects_by_stage"].items()) {
    fmt::print("  {:<26} {:>10} {:>11}\n", stage, n.get<int64_t>(),
               int_or(json["reject_chars_by_stage"], stage, 0));
    size_t shown = 0;
    for (const Json& e : json["examples"].value(stage, Json::array())) {
      if (++shown > 3) break;
      fmt::print("      {}: {}\n", string_or(e, "path", ""), string_or(e, "reason", ""));
      if (const auto text = string_or(e, "text", ""); !text.empty())
        fmt::print("        - {}\n", short_line(text));
    }
  }
  fmt::print("\nduplicates and repeated lines are those within the sample\n");
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
  StageProgress progress(context.quiet || context.json);
  const auto told = [&](std::string_view stage, uint64_t done, uint64_t total) {
    progress.update(stage, done, total);
  };
  if (options.dry_run) {
    PLINTH_TRY(const auto tried,
               corpus::dry_run(refine, static_cast<uint64_t>(options.sample_mb) << 20, told));
    progress.finish();
    return print_dry_run(tried, context);
  }
  auto report = corpus::refine(refine, told);
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
  std::vector<Path> place;  // CORPUS ID, or ID
  std::vector<Path> inputs;
};

// ID, or ID:BYTE.
Status trace(const TraceOptions& options) {
  if (options.place.empty() || options.place.size() > 2)
    return invalid("trace: a corpus folder and a document's id are needed, not {} words",
                   options.place.size());
  const Path corpus = options.place.size() == 2 ? options.place.front() : Path("corpus");
  const std::string id = options.place.back().string();
  const size_t colon = id.find(':');
  if (colon == id.npos) {
    PLINTH_TRY(const auto line, corpus::trace(corpus, id));
    fmt::print("{}\n", line);
    return {};
  }
  const std::string number = id.substr(colon + 1);
  if (number.empty() || number.size() > 18 || number.find_first_not_of("0123456789") != number.npos)
    return invalid("trace {}: \"{}\" is no byte of a text", id, number);
  PLINTH_TRY(const auto place,
             corpus::trace_byte(corpus, id.substr(0, colon), std::stoull(number), options.inputs));
  fmt::print("{}\n", place);
  return {};
}

Status show_report(const Path& corpus, const Context& context) {
  PLINTH_TRY(const auto text, read_file(corpus / "report.json"));
  if (context.json) {
    fmt::print("{}", text);
    return {};
  }
  PLINTH_TRY(const Json json, parse_json(text, (corpus / "report.json").string()));
  corpus::RefineReport report;
  report.files = int_or(json, "files", 0);
  report.documents_in = int_or(json, "documents_in", 0);
  report.documents_out = int_or(json, "documents_out", 0);
  report.rejects = int_or(json, "rejects", 0);
  report.seconds = number_or(json, "seconds", 0);
  if (const auto found = json.find("found"); found != json.end() && found->is_object())
    for (const auto& [kind, n] : found->items())
      report.found[kind] = n.is_number() ? n.get<int64_t>() : 0;
  return print(report, corpus, context);
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

void add_trace(Command& parent, const std::string& name) {
  auto options = std::make_shared<TraceOptions>();
  auto command = parent.add("trace", "one document or reject of a corpus, and where it came from",
                            name + " ./corpus 3f9a0c5d11e2aa01:420 --input ./documents");
  command.option(
      "PLACE", options->place,
      "the corpus (left out: ./corpus) and a document's id; ID:BYTE for a byte of its text", true);
  command.option("--input", options->inputs,
                 "the inputs as refine had them: back to the bytes of the file");
  command.action([options] { return trace(*options); });
}

void add_diff(Command& parent, const std::string& name, const Context& context) {
  auto a = std::make_shared<Path>(), b = std::make_shared<Path>();
  auto command = parent.add("diff", "what changed between two refined corpora, and why",
                            name + " ./corpus-may ./corpus-june --json");
  command.option("A", *a, "a refined corpus", true);
  command.option("B", *b, "a later one", true);
  command.action([a, b, &context] { return diff(*a, *b, context); });
}

}  // namespace

void add_refine(Command& root, const Context& context) {
  auto options = std::make_shared<Options>();
  auto command = root.add("refine", "raw documents to a clean, traceable corpus",
                          "plinth refine ./documents -o ./corpus --suite exam.jsonl");
  command.option("IN", options->inputs, "files and folders", true);
  command.option("-o,--out", options->out, "the corpus folder; replaced as a whole when complete");
  command.option("--recipe", options->recipe, "TOML with a [refine] table");
  command.option("--suite", options->suites,
                 "exam files whose questions must not be in the corpus");
  command.option("--world", options->world, "machines that share the work", 1, 1 << 20);
  command.option("--rank", options->rank,
                 "this machine's number, from 0: OUT becomes a part for `refine merge`", 0,
                 1 << 20);
  command.flag("--dry-run", options->dry_run,
               "what each rule would do to a sample; writes nothing, shows what would be masked");
  command.require_unless("--out", "--dry-run");
  command.option("--sample-mb", options->sample_mb, "size of that sample, MiB of files", 1,
                 1 << 30);
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

  auto reported = std::make_shared<Path>();
  auto reporting =
      command.add("report", "what a run found, in short", "plinth refine report ./corpus");
  reporting.option("CORPUS", *reported, "a refined corpus", true);
  reporting.action([reported, &context] { return show_report(*reported, context); });

  add_trace(command, "plinth refine trace");
  add_trace(root, "plinth trace");
  add_diff(command, "plinth refine diff", context);
  add_diff(root, "plinth diff", context);
}

}  // namespace plinth::cli
