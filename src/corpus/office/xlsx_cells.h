// The cells of a workbook's sheet as rows of text, from unpacked parts of an XLSX.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "corpus/read/csv_parse.h"

namespace plinth::corpus {

// What cells refer to.
struct Workbook {
  std::vector<std::string> strings;  // sharedStrings.xml
  std::vector<bool> date_styles;     // by cell style: the number is a day
  bool from_1904 = false;            // days count from 1904-01-01 instead of 1899-12-30
};

std::vector<std::string> shared_strings(const std::string& xml);
std::vector<bool> date_styles(const std::string& styles_xml);

// Rows with text, cells in their columns; merged cells repeat their text down and across where that
// is short. Columns past the 256th are left out.
Result<std::vector<CsvRow>> sheet_rows(const std::string& sheet_xml, const Workbook& workbook);

// 45292 -> "2024-01-01", 45292.5 -> "2024-01-01 12:00", 0.75 -> "18:00".
std::string excel_date(double days, bool from_1904);

}  // namespace plinth::corpus
