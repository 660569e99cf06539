// A table on its way to Markdown. Merged cells are filled in, so that each row can be read alone;
// where that would repeat many times the table's own text (a long cell that spans thousands), they
// keep it only where they begin.
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
  // A cell that goes on from the one above.
  void cell_from_above(int colspan = 1);

  size_t rows() const { return rows_.size(); }

  // The widest row.
  size_t columns() const;

  // "| a | b |" lines with the separator after the first row. Empty when there are no cells.
  // Line breaks in cells become spaces, '|' is escaped; rows without any text are left out.
  std::string markdown() const;

 private:
  struct Cell {
    uint32_t text = 0;  // index into texts_
    bool repeats = false;
  };

  struct Span {
    uint32_t text = 0;
    int rows = 0;
  };

  void take_spans();
  bool repeats_too_much() const;

  std::vector<std::string> texts_ = {""};
  std::vector<std::vector<Cell>> rows_;
  std::vector<Span> spans_;  // per column: what hangs down from above
};

// The cells of a Markdown table row, unescaped and trimmed; empty when the line is none.
std::vector<std::string> table_cells(std::string_view line);
// "|---|:--:|"
bool is_table_rule(std::string_view line);

}  // namespace plinth::corpus
