// XLSX: a ZIP with xl/workbook.xml and a part per sheet (ECMA-376 part 1, section 18). Each sheet
// is read as a table: its rows become lines that can be read alone, as those of a CSV do. A sheet
// is a page. Hidden sheets, formulas, comments and pictures are left out.
#include <algorithm>

#include "corpus/office/office.h"
#include "corpus/office/relations.h"
#include "corpus/office/xlsx_cells.h"
#include "corpus/read/readers.h"
#include "corpus/read/row_text.h"
#include "corpus/utf8.h"
#include <pugixml.hpp>

namespace plinth::corpus {
namespace {

constexpr std::string_view kBook = "xl/workbook.xml";
constexpr int kSheetsMax = 10'000;

size_t filled_cells(const CsvRow& row) {
  return static_cast<size_t>(std::count_if(row.cells.begin(), row.cells.end(),
                                           [](const auto& cell) { return !cell.empty(); }));
}

// Rows above the table that hold one cell, where the table has several columns: titles and notes.
size_t rows_of_title(const std::vector<CsvRow>& rows) {
  size_t widest = 0;
  for (const CsvRow& row : rows) widest = std::max(widest, filled_cells(row));
  size_t n = 0;
  while (widest >= 2 && n < rows.size() && n < 5 && filled_cells(rows[n]) == 1) ++n;
  return n;
}

void add_sheet(const std::string& name, int number, const std::vector<CsvRow>& rows,
               uint64_t file_bytes, size_t rows_max, Drafts& out) {
  const size_t title_rows = rows_of_title(rows);
  std::string notes, title = name;
  for (size_t i = 0; i < title_rows; ++i) {
    const auto cell = std::find_if(rows[i].cells.begin(), rows[i].cells.end(),
                                   [](const auto& text) { return !text.empty(); });
    if (i == 0 && count_chars(*cell) <= 60) title = *cell;
    if (i > 0 || title == name) notes += *cell + "\n";
  }
  const std::span<const CsvRow> table(rows.begin() + static_cast<long>(title_rows), rows.end());
  for (RowsText& part : rows_as_text(table, title, rows_max)) {
    Draft draft;
    draft.end = file_bytes;
    draft.first_page = number;
    draft.title = std::move(part.title);
    draft.text.push_back(kPageMark);
    draft.text += part.text;
    if (!notes.empty()) draft.text += "\n" + notes;
    out.drafts.push_back(std::move(draft));
  }
}

bool wanted(std::string_view name) {
  return name.starts_with("xl/worksheets/") || name == kBook || name == "xl/sharedStrings.xml" ||
         name == "xl/styles.xml" || name == relations_part(kBook);
}

}  // namespace

Result<Drafts> read_xlsx(const RawFile& file, const RefineRecipe& recipe) {
  PLINTH_TRY(const Parts parts, zip_parts(file.bytes, "XLSX", wanted));
  PLINTH_TRY(Drafts out, xlsx_drafts(parts, file.bytes.size(), recipe));
  if (out.drafts.size() == 1 && out.drafts.front().title.starts_with("Sheet"))
    out.drafts.front().title = stem_of(file.path);
  return out;
}

Result<Drafts> xlsx_drafts(const Parts& parts, uint64_t file_bytes, const RefineRecipe& recipe) {
  const auto part = [&](const std::string& name) -> const std::string& {
    static const std::string kNone;
    const auto it = parts.find(name);
    return it == parts.end() ? kNone : it->second;
  };
  const std::string& book_xml = part(std::string(kBook));
  pugi::xml_document doc;
  const auto parsed = doc.load_buffer(book_xml.data(), book_xml.size());
  if (!parsed) return data_loss("{}: {}", kBook, parsed.description());
  const auto targets = relations(part(relations_part(kBook)), folder_of(kBook));
  const pugi::xml_node root = doc.child("workbook");
  Workbook workbook{shared_strings(part("xl/sharedStrings.xml")),
                    date_styles(part("xl/styles.xml")),
                    root.child("workbookPr").attribute("date1904").as_bool()};
  Drafts out;
  int number = 0;
  for (const pugi::xml_node sheet : root.child("sheets").children("sheet")) {
    if (++number > kSheetsMax) break;
    const std::string_view state = sheet.attribute("state").as_string();
    const auto target = targets.find(sheet.attribute("r:id").as_string());
    if (state == "hidden" || state == "veryHidden" || target == targets.end()) continue;
    if (target->second.type != "worksheet" || !parts.contains(target->second.target)) continue;
    const std::string name = sheet.attribute("name").as_string();
    const auto rows = sheet_rows(part(target->second.target), workbook);
    if (rows)
      add_sheet(name, number, *rows, file_bytes, static_cast<size_t>(recipe.csv_rows_per_document),
                out);
    else
      out.bad.push_back({0, file_bytes, fmt::format("{}: {}", name, rows.error().message)});
  }
  if (out.drafts.empty() && out.bad.empty()) return invalid("no text in the XLSX");
  return out;
}

}  // namespace plinth::corpus
