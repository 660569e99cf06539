#include "eval/suite.h"

#include <optional>
#include <unordered_set>
#include <utility>

#include "core/json.h"

namespace plinth::eval {
namespace {

constexpr uint64_t kSuiteBytesMax = uint64_t{1} << 30;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

Result<SuiteKind> kind_of(const Json& row) {
  if (row.contains("type")) {
    PLINTH_TRY(const std::string type, get_string(row, "type"));
    for (const auto kind : {SuiteKind::kChoice, SuiteKind::kShort, SuiteKind::kText})
      if (kind_name(kind) == type) return kind;
    return invalid("type '{}' is not choice, short or text", type);
  }
  if (row.contains("choices")) return SuiteKind::kChoice;
  if (row.contains("question")) return SuiteKind::kShort;
  if (row.contains("text")) return SuiteKind::kText;
  return invalid("no type, question or text");
}

// A string or a list of strings, none of them empty.
Result<std::vector<std::string>> get_strings(const Json& row, const char* key) {
  if (!row.contains(key)) return invalid("key '{}' is missing", key);
  const Json& value = row[key];
  std::vector<std::string> strings;
  for (const Json& one : value.is_array() ? value : Json::array({value})) {
    if (!one.is_string() || one.get_ref<const std::string&>().empty())
      return invalid("'{}' has something that is not a string with text in it", key);
    strings.push_back(one.get<std::string>());
  }
  return strings;
}

Result<Item> read_item(const Json& row, SuiteKind kind) {
  Item item;
  if (kind == SuiteKind::kText) {
    PLINTH_TRY(item.text, get_string(row, "text"));
    if (trimmed(item.text).empty()) return invalid("the text is empty");
    return item;
  }
  PLINTH_TRY(item.question, get_string(row, "question"));
  if (trimmed(item.question).empty()) return invalid("the question is empty");
  if (kind == SuiteKind::kShort) {
    PLINTH_TRY(item.answers, get_strings(row, "answer"));
    if (item.answers.empty()) return invalid("'answer' is an empty list");
    return item;
  }
  PLINTH_TRY(item.choices, get_strings(row, "choices"));
  if (item.choices.size() < 2) return invalid("{} choices are too few", item.choices.size());
  PLINTH_TRY(item.answer, get_int(row, "answer"));
  if (item.answer < 0 || item.answer >= std::ssize(item.choices))
    return invalid("answer {} is outside 0..{}", item.answer, item.choices.size() - 1);
  return item;
}

// "id" as text; numbers are fine.
std::string id_of(const Json& row, int64_t line) {
  if (!row.contains("id") || row["id"].is_null()) return std::to_string(line);
  return row["id"].is_string() ? row["id"].get<std::string>() : to_text(row["id"]);
}

}  // namespace

std::string_view kind_name(SuiteKind kind) {
  switch (kind) {
    case SuiteKind::kChoice:
      return "choice";
    case SuiteKind::kShort:
      return "short";
    case SuiteKind::kText:
      return "text";
    case SuiteKind::kExam:
      return "exam";
  }
  return "unknown";
}

Result<Suite> parse_jsonl_suite(std::string_view text, std::string_view name) {
  Suite suite{.name = std::string(name), .kind = SuiteKind::kChoice};
  std::unordered_set<std::string> ids;
  int64_t line = 0;
  while (!text.empty()) {
    ++line;
    const size_t end = text.find('\n');
    const std::string_view row_text = trimmed(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (row_text.empty()) continue;
    const auto here = [&](const Error& error) {
      return Error{error.code, fmt::format("{}:{}: {}", name, line, error.message)};
    };
    const std::string place = fmt::format("{}:{}", name, line);
    PLINTH_TRY(const Json row, parse_json(row_text, place));
    if (!row.is_object()) return here(invalid("not a JSON object"));
    const auto kind = kind_of(row);
    if (!kind) return here(kind.error());
    if (suite.items.empty()) suite.kind = *kind;
    if (suite.kind != *kind) {
      if (suite.kind == SuiteKind::kText || *kind == SuiteKind::kText)
        return here(invalid("a {} item in a {} suite", kind_name(*kind), kind_name(suite.kind)));
      suite.kind = SuiteKind::kExam;
    }
    auto item = read_item(row, *kind);
    if (!item) return here(item.error());
    item->id = id_of(row, line);
    item->kind = *kind;
    if (!ids.insert(item->id).second) return here(invalid("id '{}' comes twice", item->id));
    suite.items.push_back(*std::move(item));
  }
  if (suite.items.empty()) return invalid("{}: no items", name);
  return suite;
}

Result<Suite> parse_text_suite(std::string_view text, std::string_view name) {
  Suite suite{.name = std::string(name), .kind = SuiteKind::kText};
  std::string document;
  const auto close = [&] {
    if (!document.empty()) {
      Item item{.id = std::to_string(suite.items.size() + 1)};
      item.text = std::exchange(document, {});
      suite.items.push_back(std::move(item));
    }
  };
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (trimmed(line).empty()) {
      close();
      continue;
    }
    if (!document.empty()) document += '\n';
    document += line;
  }
  close();
  if (suite.items.empty()) return invalid("{}: no text", name);
  return suite;
}

Result<Suite> read_suite(const Path& path) {
  PLINTH_TRY(const std::string bytes, read_file(path, kSuiteBytesMax));
  const bool jsonl = path.extension() == ".jsonl" || path.extension() == ".json";
  auto suite =
      jsonl ? parse_jsonl_suite(bytes, path.string()) : parse_text_suite(bytes, path.string());
  if (suite) suite->name = path.stem().string();
  return suite;
}

}  // namespace plinth::eval
