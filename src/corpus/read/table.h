// A table on its way to Markdown. Merged cells are filled in, so that each row can be read alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace plinth::corpus {

class TableBuilder {
 public:
  void begin_row();
  // A cell of this row; columns taken by a cell above that spans rows are skipped and repeat it.
  void cell(std::string_view text, int colspan = 1, int rowspan = 1);

  size_t rows() const { return rows_.size(); }

  // The widest row.
  size_t columns() const;

  // "| a | b |" lines with the separator after the first row. Empty when there are no cells.
  // Line breaks in cells become spaces, '|' is escaped; rows without any text are left out.
  std::string markdown() const;

 private:
  struct Span {
    std::string text;
    int rows = 0;
  };

  void take_spans();

  std::vector<std::vector<std::string>> rows_;
  std::vector<Span> spans_;  // per column: what hangs down from above
};

// The cells of a Markdown table row, unescaped and trimmed; empty when the line is none.
std::vector<std::string> table_cells(std::string_view line);
// "|---|:--:|"
bool is_table_rule(std::string_view line);

}  // namespace plinth::corpus
