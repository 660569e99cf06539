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

Status trace(const Path& corpus_dir, const std::string& id) {
  PLINTH_TRY(const auto line, corpus::trace(corpus_dir, id));
  fmt::print("{}\n", line);
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

  auto corpus_dir = std::make_shared<Path>();
  auto id = std::make_shared<std::string>();
  auto tracing = root.add("trace", "one document or reject of a corpus, with where it came from",
                          "plinth trace ./corpus 3f9a0c5d11e2aa01");
  tracing.option("CORPUS", *corpus_dir, "a refined corpus", true);
  tracing.option("ID", *id, "a document's id", true);
  tracing.action([corpus_dir, id] { return trace(*corpus_dir, *id); });

  auto a = std::make_shared<Path>(), b = std::make_shared<Path>();
  auto differing = root.add("diff", "what changed between two refined corpora, and why",
                            "plinth diff ./corpus-may ./corpus-june --json");
  differing.option("A", *a, "a refined corpus", true);
  differing.option("B", *b, "a later one", true);
  differing.action([a, b, &context] { return diff(*a, *b, context); });
}

}  // namespace plinth::cli
