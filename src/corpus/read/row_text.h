// The rows of a table as text: each becomes a line "列：值；列：值。" that can be read alone,
// question and answer columns become 问/答 pairs. A long table becomes several documents.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "corpus/read/csv_parse.h"

namespace plinth::corpus {

struct RowsText {
  std::string title;
  std::string text;
  size_t first = 0;  // rows [first, last) of the table
  size_t last = 0;
};

// The first row names the columns unless it has a cell that is a number or empty. With more than
// `rows_max` rows of values, titles are numbered.
std::vector<RowsText> rows_as_text(std::span<const CsvRow> rows, const std::string& title,
                                   size_t rows_max);

}  // namespace plinth::corpus
