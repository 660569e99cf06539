#include "corpus/read/table.h"

#include <algorithm>

#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr size_t kColumnsMax = 200;

std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : trim(text)) {
    const bool space = c == '\n' || c == '\r' || c == '\t' || c == ' ';
    if (space && (out.empty() || out.back() == ' ')) continue;
    if (c == '|') out.push_back('\\');
    out.push_back(space ? ' ' : c);
  }
  return out;
}

}  // namespace

void TableBuilder::begin_row() {
  rows_.emplace_back();
}

void TableBuilder::take_spans() {
  auto& row = rows_.back();
  while (row.size() < spans_.size() && spans_[row.size()].rows > 0) {
    Span& span = spans_[row.size()];
    --span.rows;
    row.push_back(span.text);
  }
}

void TableBuilder::cell(std::string_view text, int colspan, int rowspan) {
  if (rows_.empty()) begin_row();
  take_spans();
  auto& row = rows_.back();
  const std::string content = one_line(text);
  for (int i = 0; i < colspan && row.size() < kColumnsMax; ++i) {
    if (rowspan > 1) {
      if (spans_.size() <= row.size()) spans_.resize(row.size() + 1);
      spans_[row.size()] = {content, rowspan - 1};
    }
    row.push_back(content);
  }
  take_spans();
}

size_t TableBuilder::columns() const {
  size_t widest = 0;
  for (const auto& row : rows_) widest = std::max(widest, row.size());
  return widest;
}

std::string TableBuilder::markdown() const {
  const size_t width = columns();
  std::string out;
  bool ruled = false;
  for (const auto& row : rows_) {
    if (std::all_of(row.begin(), row.end(), [](const auto& cell) { return cell.empty(); }))
      continue;
    out += "|";
    for (size_t i = 0; i < width; ++i)
      out += " " + (i < row.size() ? row[i] : std::string()) + " |";
    out += "\n";
    if (ruled) continue;
    out += "|";
    for (size_t i = 0; i < width; ++i) out += " --- |";
    out += "\n";
    ruled = true;
  }
  return out;
}

std::vector<std::string> table_cells(std::string_view line) {
  line = trim(line);
  std::vector<std::string> out;
  if (line.size() < 2 || line.front() != '|') return out;
  line.remove_prefix(1);
  std::string cell;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\' && i + 1 < line.size() && line[i + 1] == '|') {
      cell.push_back('|');
      ++i;
    } else if (line[i] == '|') {
      out.emplace_back(trim(cell));
      cell.clear();
    } else {
      cell.push_back(line[i]);
    }
  }
  if (!trim(cell).empty()) out.emplace_back(trim(cell));
  return out;
}

bool is_table_rule(std::string_view line) {
  line = trim(line);
  return line.size() >= 3 && line.front() == '|' && line.find('-') != line.npos &&
         line.find_first_not_of("|-: ") == line.npos;
}

}  // namespace plinth::corpus
