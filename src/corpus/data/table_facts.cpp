#include <algorithm>
#include <set>

#include "corpus/data/facts.h"
#include "corpus/read/table.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr size_t kNameCharsMax = 24;
constexpr size_t kValueCharsMax = 40;

using Cells = std::vector<std::string>;

bool one_of(std::string_view text, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// A header that says "here stands the value" instead of naming it.
bool is_value_header(std::string_view name) {
  return one_of(name, {"数值", "值", "内容", "标准", "要求", "规定", "规定值", "参数值", "说明",
                       "指标", "取值", "标准值", "value", "Value"});
}

// A header over attribute names: the other columns are then the subjects.
bool is_attribute_header(std::string_view name) {
  return one_of(name, {"参数", "项目", "指标", "事项", "参数名称", "指标名称", "名称", "条目",
                       "内容", "属性", "parameter", "item"});
}

bool is_counter_header(std::string_view name) {
  return one_of(name, {"序号", "编号", "No.", "NO.", "#", "no", "行号"});
}

bool usable(const std::string& text, size_t chars_max) {
  return !text.empty() && count_chars(text) <= chars_max &&
         !one_of(text, {"-", "—", "/", "无", "——", "N/A", "n/a"});
}

// The share of neighbours with the same unit.
double likeness(const std::vector<std::string>& values) {
  size_t same = 0;
  for (size_t i = 1; i < values.size(); ++i)
    same += unit_of(values[i]) == unit_of(values[i - 1]) ? 1 : 0;
  return values.size() < 2 ? 0.0
                           : static_cast<double>(same) / static_cast<double>(values.size() - 1);
}

// Are the values alike along the rows (each row one attribute) more than down the columns? Under a
// header such as 项目 the first column holds attributes in one table and projects in another.
bool rows_are_alike(const std::vector<Cells>& rows) {
  double along = 0, down = 0;
  size_t columns = 0;
  for (const Cells& row : rows) {
    along += likeness({row.begin() + 1, row.end()});
    columns = std::max(columns, row.size());
  }
  for (size_t c = 1; c < columns; ++c) {
    std::vector<std::string> column;
    for (const Cells& row : rows)
      if (c < row.size()) column.push_back(row[c]);
    down += likeness(column);
  }
  return rows.size() >= 2 &&
         along / static_cast<double>(rows.size()) > down / static_cast<double>(columns - 1);
}

// Is it a table of a subject, what is said of it, and the value? Its second column has names under
// a header such as 检查项目, or else its subjects come again and again and what stands beside them
// has no digits: "30天" under 周期 is a value itself.
bool has_attribute_rows(const Cells& header, const std::vector<Cells>& rows) {
  if (header.size() != 3 || !is_value_header(header[2])) return false;
  for (const std::string_view word : {"项目", "事项", "参数", "指标", "内容", "属性"})
    if (header[1].ends_with(word)) return true;
  if (is_attribute_header(header[1])) return true;
  std::set<std::string_view> subjects;
  for (const Cells& row : rows) {
    if (row[1].find_first_of("0123456789") != std::string::npos) return false;
    subjects.insert(row[0]);
  }
  return subjects.size() < rows.size();
}

class TableReader {
 public:
  TableReader(const Document& document, std::vector<Fact>& facts)
      : document_(document), facts_(facts) {}

  // caption: the heading above the table.
  void read(Cells header, std::vector<Cells> rows, std::string_view caption) {
    if (!header.empty() && is_counter_header(header[0])) {
      header.erase(header.begin());
      for (Cells& row : rows)
        if (!row.empty()) row.erase(row.begin());
    }
    std::erase_if(rows, [](const Cells& row) { return row.size() < 2; });
    if (header.size() < 2) return;
    const bool generic_last = is_value_header(header.back());
    const bool by_attribute = has_attribute_rows(header, rows);
    const bool across = header.size() > 2 && is_attribute_header(header[0]) && rows_are_alike(rows);
    for (const Cells& row : rows) {
      if (header.size() == 2 && generic_last)
        add(std::string(subject_of(caption)), row[0], row[1]);
      else if (by_attribute)
        add(row[0], row[1], row.size() > 2 ? row[2] : "");
      else if (across)
        for (size_t i = 1; i < std::min(row.size(), header.size()); ++i)
          add(header[i], row[0], row[i]);
      else
        for (size_t i = 1; i < std::min(row.size(), header.size()); ++i)
          add(row[0], header[i], row[i]);
    }
  }

 private:
  std::string_view subject_of(std::string_view caption) const {
    return caption.empty() || caption == document_.title || count_chars(caption) > 16
               ? std::string_view(document_.title)
               : caption;
  }

  void add(const std::string& subject, const std::string& attribute, const std::string& value) {
    if (!usable(subject, kNameCharsMax) || !usable(attribute, kNameCharsMax) ||
        !usable(value, kValueCharsMax))
      return;
    facts_.push_back({subject, attribute, value, "是", document_.id, "table"});
  }

  const Document& document_;
  std::vector<Fact>& facts_;
};

// "备件：闸瓦；单价：368元。" -> names and values; empty when the line is not of that form.
std::vector<std::pair<std::string, std::string>> record_of(std::string_view line) {
  std::vector<std::pair<std::string, std::string>> out;
  line = trim(line);
  if (line.ends_with("。")) line.remove_suffix(std::string_view("。").size());
  if (line.find("；") == line.npos) return out;
  while (!line.empty()) {
    const size_t end = std::min(line.find("；"), line.size());
    const std::string_view part = line.substr(0, end);
    const size_t colon = part.find("：");
    if (colon == part.npos || colon == 0 || count_chars(part.substr(0, colon)) > 12) {
      if (out.empty()) return {};
      out.back().second += "；" + std::string(part);
    } else {
      out.emplace_back(part.substr(0, colon), part.substr(colon + std::string_view("：").size()));
    }
    line.remove_prefix(std::min(end + std::string_view("；").size(), line.size()));
  }
  return out.size() >= 2 ? out : std::vector<std::pair<std::string, std::string>>();
}

}  // namespace

std::string unit_of(std::string_view value) {
  const size_t last = value.find_last_of("0123456789");
  return last == value.npos ? std::string() : std::string(value.substr(last + 1));
}

std::vector<Fact> table_facts(const Document& document) {
  std::vector<Fact> facts;
  TableReader reader(document, facts);
  for (const Section& section : sections(document.text)) {
    Cells header;
    std::vector<Cells> rows;
    const auto flush = [&] {
      if (!rows.empty()) reader.read(std::move(header), std::move(rows), section.heading);
      header.clear();
      rows.clear();
    };
    bool in_table = false;  // inside a Markdown table
    each_line(std::string_view(document.text).substr(section.body, section.end - section.body),
              [&](std::string_view line) {
                const auto record = record_of(line);
                if (!record.empty()) {
                  Cells names, values;
                  for (const auto& [name, value] : record) {
                    names.push_back(name);
                    values.push_back(value);
                  }
                  if (in_table || names != header) flush();
                  in_table = false;
                  header = std::move(names);
                  rows.push_back(std::move(values));
                  return;
                }
                Cells cells = table_cells(line);
                if (cells.empty()) {
                  flush();
                  in_table = false;
                } else if (!in_table) {
                  flush();
                  header = std::move(cells);
                  in_table = true;
                } else if (!is_table_rule(line)) {
                  rows.push_back(std::move(cells));
                }
              });
    flush();
  }
  return facts;
}

void learn_names(const std::vector<Fact>& facts, Lexicon& lexicon) {
  for (const Fact& fact : facts) {
    // One character is no name, and a number is a value that stands in the first column.
    const auto name = [](const std::string& text) {
      return count_chars(text) >= 2 && text.find_first_not_of("0123456789.-") != text.npos;
    };
    if (name(fact.subject)) lexicon.subjects.insert(fact.subject);
    if (name(fact.attribute)) lexicon.attributes.insert(fact.attribute);
    if (std::string unit = unit_of(fact.value); !unit.empty() && count_chars(unit) <= 6)
      lexicon.units.insert(std::move(unit));
  }
}

}  // namespace plinth::corpus
