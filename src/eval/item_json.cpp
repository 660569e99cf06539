#include "eval/item_json.h"

namespace plinth::eval {
namespace {

std::optional<SuiteKind> kind_of(const Json& row) {
  const std::string name = string_or(row, "type", "");
  for (const auto kind : {SuiteKind::kChoice, SuiteKind::kShort, SuiteKind::kText})
    if (kind_name(kind) == name) return kind;
  return {};
}

bool is_number(const Json& row, const char* key) {
  return row.contains(key) && row[key].is_number();
}

}  // namespace

Json to_json(const ItemResult& item) {
  Json row{{"id", item.id}, {"type", kind_name(item.kind)}, {"score", item.score}};
  switch (item.kind) {
    case SuiteKind::kExam:
      break;  // no item is
    case SuiteKind::kChoice:
      row["prediction"] = item.prediction;
      row["chosen"] = item.chosen;
      row["log_likelihoods"] = item.log_likelihoods;
      row["score_raw"] = item.score_raw;
      break;
    case SuiteKind::kShort:
      row["prediction"] = item.prediction;
      row["contains"] = item.contains;
      row["f1"] = item.f1;
      break;
    case SuiteKind::kText:
      row["bits"] = item.bits;
      row["characters"] = item.characters;
      break;
  }
  return row;
}

std::optional<ItemResult> item_of(const Json& row) {
  if (!row.is_object() || !row.contains("id") || !is_number(row, "score")) return {};
  const auto kind = kind_of(row);
  if (!kind) return {};
  ItemResult item{.id = string_or(row, "id", ""),
                  .kind = *kind,
                  .score = number_or(row, "score", 0),
                  .prediction = string_or(row, "prediction", "")};
  if (*kind == SuiteKind::kChoice) {
    if (!is_number(row, "chosen") || !is_number(row, "score_raw")) return {};
    item.chosen = int_or(row, "chosen", -1);
    item.score_raw = number_or(row, "score_raw", 0);
    for (const Json& value : row.value("log_likelihoods", Json::array())) {
      if (!value.is_number()) return {};
      item.log_likelihoods.push_back(value.get<double>());
    }
  }
  if (*kind == SuiteKind::kShort) {
    if (!is_number(row, "contains") || !is_number(row, "f1")) return {};
    item.contains = number_or(row, "contains", 0);
    item.f1 = number_or(row, "f1", 0);
  }
  if (*kind == SuiteKind::kText) {
    if (!is_number(row, "bits") || !is_number(row, "characters")) return {};
    item.bits = number_or(row, "bits", 0);
    item.characters = int_or(row, "characters", 0);
  }
  return item;
}

}  // namespace plinth::eval
