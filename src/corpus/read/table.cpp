#include "corpus/read/table.h"

#include <algorithm>

#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr size_t kColumnsMax = 200;
// What merged cells may repeat: this much, and so many times the table's own text.
constexpr size_t kRepeatedBytesFree = 1024;
constexpr size_t kRepeatedTimesMax = 16;

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
    row.push_back({span.text, true});
  }
}

void TableBuilder::cell(std::string_view text, int colspan, int rowspan) {
  if (rows_.empty()) begin_row();
  take_spans();
  auto& row = rows_.back();
  const auto content = static_cast<uint32_t>(texts_.size());
  texts_.push_back(one_line(text));
  for (int i = 0; i < colspan && row.size() < kColumnsMax; ++i) {
    if (rowspan > 1) {
      if (spans_.size() <= row.size()) spans_.resize(row.size() + 1);
      spans_[row.size()] = {content, rowspan - 1};
    }
    row.push_back({content, i > 0});
  }
  take_spans();
}

void TableBuilder::cell_from_above(int colspan) {
  if (rows_.empty()) begin_row();
  auto& row = rows_.back();
  for (int i = 0; i < colspan && row.size() < kColumnsMax; ++i) {
    const auto* above = rows_.size() > 1 ? &rows_[rows_.size() - 2] : nullptr;
    const bool there = above != nullptr && row.size() < above->size();
    row.push_back({there ? (*above)[row.size()].text : 0, true});
  }
}

size_t TableBuilder::columns() const {
  size_t widest = 0;
  for (const auto& row : rows_) widest = std::max(widest, row.size());
  return widest;
}

bool TableBuilder::repeats_too_much() const {
  size_t own = 0, repeated = 0;
  for (const auto& row : rows_)
    for (const Cell cell : row) (cell.repeats ? repeated : own) += texts_[cell.text].size();
  return repeated > kRepeatedBytesFree + kRepeatedTimesMax * own;
}

std::string TableBuilder::markdown() const {
  const size_t width = columns();
  const bool once = repeats_too_much();
  const auto text_of = [&](const Cell cell) -> const std::string& {
    return texts_[once && cell.repeats ? 0 : cell.text];
  };
  std::string out;
  bool ruled = false;
  for (const auto& row : rows_) {
    if (std::all_of(row.begin(), row.end(), [&](const Cell cell) { return text_of(cell).empty(); }))
      continue;
    out += "|";
    for (size_t i = 0; i < width; ++i) {
      out += " ";
      if (i < row.size()) out += text_of(row[i]);
      out += " |";
    }
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
