#include "eval/eval.h"

#include <utility>

#include "core/json.h"
#include "eval/item_json.h"
#include "eval/journal.h"
#include "eval/tasks.h"

namespace plinth::eval {
namespace {

std::vector<double> column(const std::vector<ItemResult>& items, double ItemResult::*field) {
  std::vector<double> values;
  for (const ItemResult& item : items) values.push_back(item.*field);
  return values;
}

double mean_of(const std::vector<ItemResult>& items, double ItemResult::*field) {
  double sum = 0;
  for (const ItemResult& item : items) sum += item.*field;
  return sum / static_cast<double>(items.size());
}

Result<std::vector<ItemResult>> run_items(const TaskContext& context);

// Each kind's items as a suite of their own; results in the exam's order.
Result<std::vector<ItemResult>> run_exam(const TaskContext& exam) {
  std::vector<ItemResult> results(exam.suite.items.size());
  for (const auto kind : {SuiteKind::kChoice, SuiteKind::kShort}) {
    Suite part{.name = exam.suite.name, .kind = kind};
    std::vector<size_t> places;
    for (size_t i = 0; i < exam.suite.items.size(); ++i) {
      if (exam.suite.items[i].kind != kind) continue;
      part.items.push_back(exam.suite.items[i]);
      places.push_back(i);
    }
    if (part.items.empty()) continue;
    PLINTH_TRY(auto items, run_items({exam.engine, exam.adapter, exam.options, part, exam.keep}));
    for (size_t i = 0; i < places.size(); ++i) results[places[i]] = std::move(items[i]);
  }
  return results;
}

Result<std::vector<ItemResult>> run_items(const TaskContext& context) {
  switch (context.suite.kind) {
    case SuiteKind::kChoice:
      return run_choice(context);
    case SuiteKind::kShort:
      return run_short(context);
    case SuiteKind::kText:
      return run_text(context);
    case SuiteKind::kExam:
      return run_exam(context);
  }
  return internal_error("suite {} is of no kind", context.suite.name);
}

// Only what the journal doesn't know.
Result<std::vector<ItemResult>> run_with_journal(const TaskContext& context) {
  PLINTH_TRY(auto journal, Journal::open(context.options.journal, context.options.journal_key));
  const std::vector<Item>& items = context.suite.items;
  std::vector<ItemResult> results(items.size());
  Suite rest{.name = context.suite.name, .kind = context.suite.kind};
  std::vector<size_t> places;
  for (size_t i = 0; i < items.size(); ++i) {
    if (const ItemResult* known = journal.find(items[i].id)) {
      results[i] = *known;
      continue;
    }
    rest.items.push_back(items[i]);
    places.push_back(i);
  }
  if (rest.items.empty()) return results;
  EvalOptions options = context.options;
  if (context.options.progress)
    options.progress = [&, known = std::ssize(items) - std::ssize(rest.items)](int64_t done,
                                                                               int64_t) {
      context.options.progress(known + done, std::ssize(items));
    };
  PLINTH_TRY(auto fresh,
             run_items({context.engine, context.adapter, options, rest,
                        [&](std::span<const ItemResult> done) { return journal.add(done); }}));
  for (size_t i = 0; i < places.size(); ++i) results[places[i]] = std::move(fresh[i]);
  return results;
}

}  // namespace

Result<SuiteResult> run_suite(engine::Engine& engine,
                              const std::shared_ptr<const model::Adapter>& adapter,
                              const Suite& suite, const EvalOptions& options) {
  if (suite.items.empty()) return invalid("suite {} has no items", suite.name);
  if (suite.kind != SuiteKind::kText && !options.prompt)
    return invalid("suite {} needs a prompt maker", suite.name);
  SuiteResult result{.suite = suite.name, .kind = suite.kind};
  const TaskContext context{engine, adapter, options, suite,
                            [](std::span<const ItemResult>) { return Status(); }};
  PLINTH_TRY(result.items,
             options.journal.empty() ? run_items(context) : run_with_journal(context));
  for (size_t i = 0; i < result.items.size(); ++i) {
    ItemResult& item = result.items[i];
    item.kind = suite.kind == SuiteKind::kExam ? suite.items[i].kind : suite.kind;
    if (suite.kind == SuiteKind::kExam && item.kind == SuiteKind::kShort)
      item.score = item.contains;
  }
  switch (suite.kind) {
    case SuiteKind::kChoice:
      result.metric = "accuracy";
      result.secondary = mean_of(result.items, &ItemResult::score_raw);
      break;
    case SuiteKind::kShort:
      result.metric = "exact_match";
      result.secondary = mean_of(result.items, &ItemResult::contains);
      result.f1 = mean_of(result.items, &ItemResult::f1);
      break;
    case SuiteKind::kExam:
      result.metric = "correct";
      break;
    case SuiteKind::kText: {
      result.metric = "bits_per_character";
      std::vector<double> characters;
      for (const auto& item : result.items)
        characters.push_back(static_cast<double>(item.characters));
      PLINTH_TRY(result.interval, bootstrap_ratio(column(result.items, &ItemResult::bits),
                                                  characters, options.resamples, options.seed));
      return result;
    }
  }
  PLINTH_TRY(result.interval, bootstrap_mean(column(result.items, &ItemResult::score),
                                             options.resamples, options.seed));
  return result;
}

Status write_result(const Path& folder, const SuiteResult& result) {
  PLINTH_TRY(make_directories(folder));
  Json summary{{"suite", result.suite},       {"kind", kind_name(result.kind)},
               {"metric", result.metric},     {"mean", result.interval.mean},
               {"lo", result.interval.lo},    {"hi", result.interval.hi},
               {"items", result.items.size()}};
  if (result.kind == SuiteKind::kChoice) summary["accuracy_raw"] = result.secondary;
  if (result.kind == SuiteKind::kShort) {
    summary["contains"] = result.secondary;
    summary["f1"] = result.f1;
  }
  std::string rows;
  for (const ItemResult& item : result.items) rows += to_text(to_json(item)) + '\n';
  PLINTH_TRY(write_file_atomic(folder / "items.jsonl", rows));
  return write_file_atomic(folder / "result.json", to_text(summary) + '\n');
}

std::string describe(const SuiteResult& result) {
  const Interval& i = result.interval;
  std::string line = fmt::format("{}: {} {:.4f} [{:.4f}, {:.4f}], {} items", result.suite,
                                 result.metric, i.mean, i.lo, i.hi, result.items.size());
  if (result.kind == SuiteKind::kChoice)
    line += fmt::format("; accuracy_raw {:.4f}", result.secondary);
  if (result.kind == SuiteKind::kShort)
    line += fmt::format("; contains {:.4f}, f1 {:.4f}", result.secondary, result.f1);
  return line;
}

}  // namespace plinth::eval
