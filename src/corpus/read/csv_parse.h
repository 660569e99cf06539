// Comma-separated values as RFC 4180 has them, and as spreadsheets write them: ',' ';' tab or '|'
// between cells, quoted cells with line breaks, a missing quote at the end forgiven.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace plinth::corpus {

struct CsvRow {
  std::vector<std::string> cells;
  uint64_t begin = 0;  // bytes of the text
  uint64_t end = 0;
};

// The mark that cuts the first lines into the same number of cells, at least two; ',' else.
char csv_separator(std::string_view text);

// Calls body(row) for each row in order; rows with no text at all are left out.
void each_csv_row(std::string_view text, char separator,
                  const std::function<void(CsvRow&& row)>& body);

// All of them.
std::vector<CsvRow> parse_csv(std::string_view text, char separator);

}  // namespace plinth::corpus
