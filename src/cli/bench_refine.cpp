#include "cli/bench_refine.h"

#include <memory>

#include "cli/machine.h"
#include "core/interrupt.h"
#include "core/json.h"
#include "corpus/corpus.h"

namespace plinth::cli {
namespace {

struct Options {
  Path data;
  Path articles;
  int64_t repeats = 3;
};

Status run(const Options& options, const Context& context) {
  uninstall_interrupt_handler();
  if (options.data.empty() && options.articles.empty())
    return invalid("bench refine: give DATA, --articles or both");
  for (const Path& folder : {options.data, options.articles})
    if (!folder.empty() && !std::filesystem::is_directory(folder))
      return not_found("bench refine: {} is not a folder", folder.string());
  const int repeats = static_cast<int>(options.repeats);
  corpus::Figures figures;
  if (!options.data.empty()) {
    PLINTH_TRY(figures, corpus::measure_refinery(options.data, repeats));
  }
  if (!options.articles.empty()) {
    PLINTH_TRY(const auto more, corpus::measure_articles(options.articles, repeats));
    figures.rows.insert(figures.rows.end(), more.rows.begin(), more.rows.end());
    figures.missing.insert(figures.missing.end(), more.missing.begin(), more.missing.end());
  }
  if (context.json) {
    Json list = Json::array();
    for (const auto& row : figures.rows)
      list.push_back({{"name", row.name},
                      {"value", row.value},
                      {"unit", row.unit},
                      {"bound", nullptr},
                      {"of_bound", nullptr},
                      {"target", row.target > 0 ? Json(row.target) : Json()},
                      {"met", row.met()}});
    fmt::print("{}\n", to_text({{"machine", to_json(measure_machine())},
                                {"rows", std::move(list)},
                                {"missing", figures.missing}}));
    return {};
  }
  for (const auto& row : figures.rows) {
    fmt::print("{:10.4g} {:<5}", row.value, row.unit);
    if (row.target > 0)
      fmt::print(" {} {:<6g}{}", row.at_most ? "<=" : ">=", row.target, row.met() ? "   " : " ! ");
    else
      fmt::print("{:12}", "");
    fmt::print(" {}\n", row.name);
  }
  for (const auto& file : figures.missing) fmt::print("not there: {}\n", file);
  return {};
}

}  // namespace

void add_bench_refine(Command& bench, const Context& context) {
  auto options = std::make_shared<Options>();
  auto command = bench.add("refine", "the refinery's speed and judgement on labelled data",
                           "plinth bench refine DATA --json");
  command.option("DATA", options->data, "folder with raw/ and pretrain/");
  command.option("--articles", options->articles,
                 "news pages: a folder with ground-truth.json, html/ID.html.gz, output/NAME.json");
  command.option("--repeats", options->repeats, "rounds; the median is shown", 1, 1000);
  command.action([options, &context] { return run(*options, context); });
}

}  // namespace plinth::cli
