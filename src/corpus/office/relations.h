// Which part an id of an OPC package means: _rels/NAME.rels (ECMA-376 part 2, section 9).
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace plinth::corpus {

struct Relation {
  std::string type;    // the last word of the type's URL: "worksheet", "slide", "notesSlide"
  std::string target;  // resolved: "xl/worksheets/sheet1.xml"
};

// By id. `folder` is that of the part which the relations belong to.
std::map<std::string, Relation> relations(const std::string& rels_xml, std::string_view folder);

// "xl/workbook.xml" -> "xl/_rels/workbook.xml.rels"
std::string relations_part(std::string_view part);
// "xl/workbook.xml" -> "xl"
std::string_view folder_of(std::string_view part);

}  // namespace plinth::corpus
