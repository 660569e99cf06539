#include "corpus/office/xlsx_cells.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <map>

#include "corpus/utf8.h"
#include <pugixml.hpp>

namespace plinth::corpus {
namespace {

constexpr size_t kColumnsMax = 256;
constexpr size_t kRowsMax = 1'048'576;
constexpr size_t kStringsMax = 4'000'000;
constexpr size_t kMergedCellsMax = 100'000;
constexpr size_t kMergedTextMax = 200;
constexpr size_t kTextBytesMax = size_t{256} << 20;

// Text of <t> below a string item; phonetic readings (rPh) repeat what is there.
std::string item_text(const pugi::xml_node item) {
  std::string out = item.child("t").child_value();
  for (const pugi::xml_node run : item.children("r")) out += run.child("t").child_value();
  return out;
}

struct CellName {
  size_t column = 0;
  size_t row = 0;  // both from 0; column kColumnsMax when there is no such cell
};

CellName cell_name(std::string_view name) {
  size_t column = 0, row = 0, at = 0;
  for (; at < name.size() && at < 3 && name[at] >= 'A' && name[at] <= 'Z'; ++at)
    column = column * 26 + static_cast<size_t>(name[at] - 'A') + 1;
  for (; at < name.size() && at < 12 && name[at] >= '0' && name[at] <= '9'; ++at)
    row = row * 10 + static_cast<size_t>(name[at] - '0');
  if (column == 0 || row == 0 || row > kRowsMax || at != name.size()) return {kColumnsMax, 0};
  return {column - 1, row - 1};
}

// 0.1 + 0.2 is stored as 0.30000000000000004: fifteen digits are what the program itself shows.
std::string number_text(const char* stored) {
  char* end = nullptr;
  const double value = std::strtod(stored, &end);
  if (end == stored || *end != '\0' || !std::isfinite(value)) return stored;
  if (value == std::floor(value) && std::fabs(value) < 1e15) return fmt::format("{:.0f}", value);
  return fmt::format("{:.15g}", value);
}

std::string cell_text(const pugi::xml_node cell, const Workbook& workbook) {
  const std::string_view type = cell.attribute("t").as_string();
  if (type == "inlineStr") return item_text(cell.child("is"));
  const char* value = cell.child("v").child_value();
  if (type == "s") {
    const auto index = static_cast<size_t>(std::strtoul(value, nullptr, 10));
    return index < workbook.strings.size() ? workbook.strings[index] : "";
  }
  if (type == "b") return *value == '1' ? "TRUE" : *value == '0' ? "FALSE" : "";
  if (type == "e") return "";  // #N/A and kin say nothing
  if (!type.empty() && type != "n") return value;
  if (*value == '\0') return "";
  const auto style = static_cast<size_t>(std::max(cell.attribute("s").as_int(), 0));
  if (style < workbook.date_styles.size() && workbook.date_styles[style])
    return excel_date(std::strtod(value, nullptr), workbook.from_1904);
  return number_text(value);
}

// ECMA-376 part 1, section 18.8.30: built-in formats of dates and times, those of East Asian
// versions included.
bool is_date_format(int id) {
  return (id >= 14 && id <= 22) || (id >= 27 && id <= 36) || (id >= 45 && id <= 47) ||
         (id >= 50 && id <= 58);
}

// "yyyy年m月d日" is a date; "0.00_ ;[Red]\-0.00" is not: quoted text, escapes and brackets don't
// count.
bool says_date(std::string_view format) {
  bool quoted = false, bracket = false;
  for (size_t i = 0; i < format.size(); ++i) {
    const char c = format[i];
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '\\' || c == '_') {
      ++i;
      continue;
    }
    if (c == '[') bracket = true;
    if (c == ']') bracket = false;
    if (!bracket && (c == 'y' || c == 'Y' || c == 'd' || c == 'D' || c == 'h' || c == 'H'))
      return true;
  }
  return false;
}

using Rows = std::map<size_t, std::vector<std::string>>;

std::string* cell_at(Rows& rows, CellName name) {
  if (name.column >= kColumnsMax) return nullptr;
  auto& row = rows[name.row];
  if (row.size() <= name.column) row.resize(name.column + 1);
  return &row[name.column];
}

void fill_merged(const pugi::xml_node sheet, Rows& rows) {
  size_t filled = 0;
  for (const pugi::xml_node merge : sheet.child("mergeCells").children("mergeCell")) {
    const std::string_view area = merge.attribute("ref").as_string();
    const size_t colon = area.find(':');
    if (colon == area.npos) continue;
    const CellName from = cell_name(area.substr(0, colon)), to = cell_name(area.substr(colon + 1));
    const auto first = rows.find(from.row);
    if (first == rows.end() || first->second.size() <= from.column) continue;
    const std::string text = first->second[from.column];
    if (text.empty() || text.size() > kMergedTextMax) continue;
    // Across a whole row it is a title: once is enough.
    if (to.row == from.row) continue;
    for (size_t row = from.row; row <= to.row && rows.contains(row); ++row)
      for (size_t column = from.column; column <= to.column && column < kColumnsMax; ++column) {
        if (++filled > kMergedCellsMax) return;
        *cell_at(rows, {column, row}) = text;
      }
  }
}

}  // namespace

std::string excel_date(double days, bool from_1904) {
  // Day 60 is a 29 February 1900 that never was; dates before it are not worth a rule.
  if (!(days >= 0) || days > 2'958'465) return fmt::format("{:.15g}", days);
  auto minutes = static_cast<int64_t>(std::llround((days - std::floor(days)) * 24 * 60));
  auto day = static_cast<int64_t>(std::floor(days)) + minutes / (24 * 60);
  minutes %= 24 * 60;
  const std::string time = fmt::format("{:02}:{:02}", minutes / 60, minutes % 60);
  if (day == 0) return time;
  using namespace std::chrono;
  const sys_days epoch =
      from_1904 ? sys_days(1904y / January / 1) : sys_days(1899y / December / 30);
  const year_month_day date(epoch + std::chrono::days(day));
  const std::string text =
      fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return minutes == 0 ? text : text + " " + time;
}

std::vector<std::string> shared_strings(const std::string& xml) {
  std::vector<std::string> out;
  pugi::xml_document doc;
  if (!doc.load_buffer(xml.data(), xml.size(), pugi::parse_default | pugi::parse_ws_pcdata))
    return out;
  for (const pugi::xml_node item : doc.child("sst").children("si")) {
    if (out.size() == kStringsMax) break;
    out.push_back(item_text(item));
  }
  return out;
}

std::vector<bool> date_styles(const std::string& styles_xml) {
  std::vector<bool> out;
  pugi::xml_document doc;
  if (!doc.load_buffer(styles_xml.data(), styles_xml.size())) return out;
  const pugi::xml_node styles = doc.child("styleSheet");
  std::map<int, bool> own;
  for (const pugi::xml_node format : styles.child("numFmts").children("numFmt"))
    own[format.attribute("numFmtId").as_int()] =
        says_date(format.attribute("formatCode").as_string());
  for (const pugi::xml_node style : styles.child("cellXfs").children("xf")) {
    const int id = style.attribute("numFmtId").as_int();
    const auto found = own.find(id);
    out.push_back(found != own.end() ? found->second : is_date_format(id));
  }
  return out;
}

Result<std::vector<CsvRow>> sheet_rows(const std::string& sheet_xml, const Workbook& workbook) {
  pugi::xml_document doc;
  const auto parsed = doc.load_buffer(sheet_xml.data(), sheet_xml.size());
  if (!parsed) return data_loss("a sheet: {} at byte {}", parsed.description(), parsed.offset);
  const pugi::xml_node sheet = doc.child("worksheet");
  Rows rows;
  size_t bytes = 0, next_row = 0;
  for (const pugi::xml_node row : sheet.child("sheetData").children("row")) {
    const auto said = static_cast<size_t>(std::max(row.attribute("r").as_int(), 0));
    const size_t number = said > 0 ? said - 1 : next_row;
    if (number >= kRowsMax) continue;
    next_row = number + 1;
    size_t next_column = 0;
    for (const pugi::xml_node cell : row.children("c")) {
      const std::string_view name = cell.attribute("r").as_string();
      const CellName place = name.empty() ? CellName{next_column, number} : cell_name(name);
      next_column = place.column + 1;
      std::string text = cell_text(cell, workbook);
      bytes += text.size() + 32;
      // A few shared strings can be referred to a million times.
      if (bytes > kTextBytesMax)
        return exhausted("a sheet holds more than {} bytes of text", kTextBytesMax);
      if (text.empty()) continue;
      if (std::string* at = cell_at(rows, {place.column, number})) *at = std::move(text);
    }
  }
  fill_merged(sheet, rows);
  std::vector<CsvRow> out;
  for (auto& [number, cells] : rows) {
    const bool empty = std::all_of(cells.begin(), cells.end(),
                                   [](const std::string& cell) { return trim(cell).empty(); });
    if (!empty) out.push_back({std::move(cells), number, number + 1});
  }
  return out;
}

}  // namespace plinth::corpus
