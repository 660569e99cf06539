// The rows of a table as text: each becomes a line "列：值；列：值。" that can be read alone,
// question and answer columns become 问/答 pairs. A long table becomes several documents.
#pragma once

#include <functional>
#include <optional>
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
  uint64_t begin = 0;  // bytes [begin, end) of these rows
  uint64_t end = 0;
};

// Takes the rows one after the other, so that a long table need not be in memory. The first row
// names the columns unless it has a cell that is a number or empty. With more than `rows_max` rows
// of values, titles are numbered.
class RowsAsText {
 public:
  using Sink = std::function<void(RowsText&& part)>;

  RowsAsText(std::string title, size_t rows_max, Sink sink)
      : title_(std::move(title)), rows_max_(rows_max), sink_(std::move(sink)) {}

  void add(const CsvRow& row);
  // Hands over what is left.
  void end();

 private:
  struct Columns {
    std::vector<std::string> names;
    int question = -1;
    int answer = -1;
  };

  static Columns columns_of(const CsvRow& header, bool named);
  static std::string row_line(const CsvRow& row, const Columns& columns);
  static std::string pair_lines(const CsvRow& row, const Columns& columns);

  void begin(bool named);
  void add_values(const CsvRow& row);
  void hand_over(bool numbered);

  std::string title_;
  size_t rows_max_;
  Sink sink_;
  std::optional<CsvRow> head_;  // the first row, until there is a second one
  Columns columns_;
  size_t rows_ = 0;    // taken so far
  size_t header_ = 0;  // of these, named columns
  bool numbered_ = false;
  RowsText part_;
};

// All rows of a table in memory.
std::vector<RowsText> rows_as_text(std::span<const CsvRow> rows, const std::string& title,
                                   size_t rows_max);

}  // namespace plinth::corpus
