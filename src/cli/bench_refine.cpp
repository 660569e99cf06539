#include "cli/bench_refine.h"

#include "cli/machine.h"
#include "core/json.h"
#include "corpus/corpus.h"

namespace plinth::cli {

Status bench_refine(const Path& data, int64_t repeats, const Context& context) {
  if (data.empty()) return invalid("bench refine: --file names the folder with raw/ and pretrain/");
  PLINTH_TRY(const auto figures, corpus::measure_refinery(data, static_cast<int>(repeats)));
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

}  // namespace plinth::cli
