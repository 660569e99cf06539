#include "corpus/read/csv_parse.h"

#include <algorithm>

#include "corpus/utf8.h"

namespace plinth::corpus {

void each_csv_row(std::string_view text, char separator,
                  const std::function<void(CsvRow&& row)>& body) {
  CsvRow row;
  std::string cell;
  bool quoted = false, was_quoted = false;
  const auto end_cell = [&] {
    row.cells.emplace_back(was_quoted ? std::string_view(cell) : trim(cell));
    cell.clear();
    was_quoted = false;
  };
  const auto end_row = [&](size_t at) {
    end_cell();
    row.end = at;
    if (std::any_of(row.cells.begin(), row.cells.end(), [](const auto& c) { return !c.empty(); }))
      body(std::move(row));
    row = {};
    row.begin = at;
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c != '"') {
        cell.push_back(c);
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        cell.push_back('"');
        ++i;
      } else {
        quoted = false;
      }
    } else if (c == '"' && trim(cell).empty()) {
      quoted = was_quoted = true;
      cell.clear();
    } else if (c == separator) {
      end_cell();
    } else if (c == '\n') {
      end_row(i + 1);
    } else if (c != '\r') {
      cell.push_back(c);
    }
  }
  if (!cell.empty() || !row.cells.empty()) end_row(text.size());
}

std::vector<CsvRow> parse_csv(std::string_view text, char separator) {
  std::vector<CsvRow> rows;
  each_csv_row(text, separator, [&](CsvRow&& row) { rows.push_back(std::move(row)); });
  return rows;
}

char csv_separator(std::string_view text) {
  const auto head = text.substr(0, 8192);
  char best = ',';
  size_t best_cells = 0;
  for (const char separator : {',', '\t', ';', '|'}) {
    auto rows = parse_csv(head, separator);
    if (rows.size() > 1 && head.size() < text.size()) rows.pop_back();  // cut off by the sample
    if (rows.empty()) continue;
    const size_t cells = rows.front().cells.size();
    const auto same = std::count_if(rows.begin(), rows.end(),
                                    [&](const auto& row) { return row.cells.size() == cells; });
    if (cells >= 2 && static_cast<size_t>(same) * 10 >= rows.size() * 8 && cells > best_cells) {
      best = separator;
      best_cells = cells;
    }
  }
  return best;
}

}  // namespace plinth::corpus
