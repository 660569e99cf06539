#include "corpus/read/row_text.h"

#include <algorithm>
#include <initializer_list>

#include <fmt/format.h>

#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

struct Columns {
  std::vector<std::string> names;
  int question = -1;
  int answer = -1;
};

std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : trim(text)) out.push_back(c == '\n' || c == '\r' || c == '\t' ? ' ' : c);
  return out;
}

int find_column(const std::vector<std::string>& names,
                std::initializer_list<std::string_view> wanted) {
  for (size_t i = 0; i < names.size(); ++i) {
    std::string name = names[i];
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    if (std::find(wanted.begin(), wanted.end(), name) != wanted.end()) return static_cast<int>(i);
  }
  return -1;
}

bool is_header(const CsvRow& row) {
  return std::all_of(row.cells.begin(), row.cells.end(), [](const std::string& cell) {
    return !cell.empty() && cell.find_first_not_of("0123456789.,-+% ") != cell.npos &&
           count_chars(cell) <= 30;
  });
}

Columns columns_of(const CsvRow& header, bool named) {
  Columns out;
  for (size_t i = 0; i < header.cells.size(); ++i)
    out.names.push_back(named ? one_line(header.cells[i]) : fmt::format("第{}列", i + 1));
  if (!named) return out;
  out.question = find_column(
      out.names, {"问题", "问", "提问", "常见问题", "question", "ask", "q", "instruction"});
  out.answer = find_column(
      out.names, {"答案", "答", "回答", "解答", "答复", "answer", "a", "output", "response"});
  return out;
}

std::string row_line(const CsvRow& row, const Columns& columns) {
  std::string out;
  for (size_t i = 0; i < row.cells.size(); ++i) {
    const std::string value = one_line(row.cells[i]);
    if (value.empty()) continue;
    if (!out.empty()) out += "；";
    out += i < columns.names.size() ? columns.names[i] + "：" + value : value;
  }
  return out.empty() ? out : out + "。\n";
}

std::string pair_lines(const CsvRow& row, const Columns& columns) {
  const auto question = static_cast<size_t>(columns.question),
             answer = static_cast<size_t>(columns.answer);
  if (std::max(question, answer) >= row.cells.size()) return row_line(row, columns);
  return "问：" + one_line(row.cells[question]) + "\n答：" + one_line(row.cells[answer]) + "\n\n";
}

}  // namespace

std::vector<RowsText> rows_as_text(std::span<const CsvRow> rows, const std::string& title,
                                   size_t rows_max) {
  std::vector<RowsText> out;
  if (rows.empty()) return out;
  const bool named = rows.size() > 1 && is_header(rows.front());
  const Columns columns = columns_of(rows.front(), named);
  const bool pairs = columns.question >= 0 && columns.answer >= 0;
  const size_t first = named ? 1 : 0;
  for (size_t from = first; from < rows.size(); from += rows_max) {
    RowsText part;
    part.first = from;
    part.last = std::min(from + rows_max, rows.size());
    part.title = rows.size() - first <= rows_max
                     ? title
                     : fmt::format("{}（第{}-{}行）", title, from - first + 1, part.last - first);
    part.text = "# " + part.title + "\n\n";
    for (size_t i = from; i < part.last; ++i)
      part.text += pairs ? pair_lines(rows[i], columns) : row_line(rows[i], columns);
    out.push_back(std::move(part));
  }
  return out;
}

}  // namespace plinth::corpus
