#include "corpus/read/row_text.h"

#include <algorithm>
#include <initializer_list>

#include <fmt/format.h>

#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

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

}  // namespace

RowsAsText::Columns RowsAsText::columns_of(const CsvRow& header, bool named) {
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

std::string RowsAsText::row_line(const CsvRow& row, const Columns& columns) {
  std::string out;
  for (size_t i = 0; i < row.cells.size(); ++i) {
    const std::string value = one_line(row.cells[i]);
    if (value.empty()) continue;
    if (!out.empty()) out += "；";
    out += i < columns.names.size() ? columns.names[i] + "：" + value : value;
  }
  return out.empty() ? out : out + "。\n";
}

std::string RowsAsText::pair_lines(const CsvRow& row, const Columns& columns) {
  const auto question = static_cast<size_t>(columns.question),
             answer = static_cast<size_t>(columns.answer);
  if (std::max(question, answer) >= row.cells.size()) return row_line(row, columns);
  return "问：" + one_line(row.cells[question]) + "\n答：" + one_line(row.cells[answer]) + "\n\n";
}

void RowsAsText::add(const CsvRow& row) {
  if (rows_ == 0 && !head_) {
    head_ = row;
    return;
  }
  if (head_) begin(is_header(*head_));
  add_values(row);
}

void RowsAsText::end() {
  if (head_) begin(false);
  if (part_.last > part_.first) hand_over(numbered_);
}

// The first row is a header, or a row like the others.
void RowsAsText::begin(bool named) {
  const CsvRow head = *std::move(head_);
  head_.reset();
  columns_ = columns_of(head, named);
  header_ = named ? 1 : 0;
  if (named)
    rows_ = part_.first = part_.last = 1;
  else
    add_values(head);
}

void RowsAsText::add_values(const CsvRow& row) {
  if (part_.last - part_.first == rows_max_) {
    numbered_ = true;  // there is more than one part
    hand_over(true);
  }
  if (part_.last == part_.first) part_.begin = row.begin;
  part_.end = row.end;
  part_.text += columns_.question >= 0 && columns_.answer >= 0 ? pair_lines(row, columns_)
                                                               : row_line(row, columns_);
  part_.last = ++rows_;
}

void RowsAsText::hand_over(bool numbered) {
  part_.title = numbered ? fmt::format("{}（第{}-{}行）", title_, part_.first - header_ + 1,
                                       part_.last - header_)
                         : title_;
  part_.text = "# " + part_.title + "\n\n" + part_.text;
  const size_t next = part_.last;
  sink_(std::move(part_));
  part_ = {};
  part_.first = part_.last = next;
}

std::vector<RowsText> rows_as_text(std::span<const CsvRow> rows, const std::string& title,
                                   size_t rows_max) {
  std::vector<RowsText> out;
  RowsAsText text(title, rows_max, [&](RowsText&& part) { out.push_back(std::move(part)); });
  for (const CsvRow& row : rows) text.add(row);
  text.end();
  return out;
}

}  // namespace plinth::corpus
