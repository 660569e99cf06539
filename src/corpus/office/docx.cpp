// DOCX: a ZIP with word/document.xml (ECMA-376 part 1, section 17). Headings by style and outline
// level, tables as Markdown; pictures, notes and revisions that were deleted are left out.
#include <algorithm>
#include <map>

#include "corpus/office/office.h"
#include "corpus/read/readers.h"
#include "corpus/read/table.h"
#include "corpus/utf8.h"
#include <pugixml.hpp>

namespace plinth::corpus {
namespace {

constexpr int kDepthMax = 64;

// Style id -> heading level; 1 for the title style as well.
std::map<std::string, int> heading_styles(const std::string& styles_xml) {
  std::map<std::string, int> out;
  pugi::xml_document doc;
  if (!doc.load_buffer(styles_xml.data(), styles_xml.size())) return out;
  for (const pugi::xml_node style : doc.child("w:styles").children("w:style")) {
    std::string name = style.child("w:name").attribute("w:val").as_string();
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    const std::string id = style.attribute("w:styleId").as_string();
    const auto outline = style.child("w:pPr").child("w:outlineLvl").attribute("w:val");
    if (name == "title")
      out[id] = 1;
    else if (name.starts_with("heading ") && name.size() == 9 && name[8] >= '1' && name[8] <= '6')
      out[id] = name[8] - '0';
    else if (outline && outline.as_int(9) < 6)
      out[id] = std::max(outline.as_int(9), 0) + 1;
  }
  return out;
}

class DocxText {
 public:
  explicit DocxText(std::map<std::string, int> styles) : styles_(std::move(styles)) {}

  std::string run(const pugi::xml_node body) {
    blocks(body, 0);
    return std::move(out_);
  }

 private:
  void blocks(const pugi::xml_node parent, int depth) {
    if (depth > kDepthMax) return;
    for (const pugi::xml_node node : parent.children()) {
      const std::string_view name = node.name();
      if (name == "w:p")
        paragraph(node);
      else if (name == "w:tbl")
        table(node, depth);
      else if (name == "w:sdt" || name == "w:sdtContent" || name == "w:ins" ||
               name == "w:customXml")
        blocks(node, depth + 1);
    }
  }

  void paragraph(const pugi::xml_node node) {
    std::string text;
    runs(node, text, 0);
    const std::string_view body = trim(text);
    if (body.empty()) return;
    const int level = level_of(node, body);
    const bool item = level == 0 && node.child("w:pPr").child("w:numPr");
    if (!out_.empty()) out_ += item && last_item_ ? "\n" : "\n\n";
    if (level > 0) out_ += std::string(static_cast<size_t>(level), '#') + " ";
    if (item) out_ += "- ";
    out_ += body;
    last_item_ = item;
  }

  int level_of(const pugi::xml_node node, std::string_view text) const {
    if (count_chars(text) > 80 || text.find('\n') != text.npos) return 0;
    const auto properties = node.child("w:pPr");
    const auto style = styles_.find(properties.child("w:pStyle").attribute("w:val").as_string());
    if (style != styles_.end()) return style->second;
    const auto outline = properties.child("w:outlineLvl").attribute("w:val");
    return outline && outline.as_int(9) < 6 ? std::max(outline.as_int(9), 0) + 1 : 0;
  }

  // Text of runs; deleted text lives in w:delText and is not taken.
  void runs(const pugi::xml_node parent, std::string& out, int depth) const {
    if (depth > kDepthMax) return;
    for (const pugi::xml_node node : parent.children()) {
      const std::string_view name = node.name();
      if (name == "w:t")
        out += node.child_value();
      else if (name == "w:tab")
        out += "\t";
      else if (name == "w:br" || name == "w:cr")
        out += "\n";
      else if (name == "w:noBreakHyphen")
        out += "-";
      else if (name != "w:pPr" && name != "w:rPr" && name != "w:del" && name != "w:drawing" &&
               name != "w:pict" && name != "mc:Fallback")
        runs(node, out, depth + 1);
    }
  }

  void cell_text(const pugi::xml_node cell, std::string& out, int depth) const {
    if (depth > kDepthMax) return;
    for (const pugi::xml_node node : cell.children()) {
      const std::string_view name = node.name();
      if (name == "w:p") {
        if (!out.empty()) out.push_back(' ');
        runs(node, out, depth);
      } else if (name == "w:tbl" || name == "w:tr" || name == "w:tc" || name == "w:sdt" ||
                 name == "w:sdtContent") {
        cell_text(node, out, depth + 1);
      }
    }
  }

  // Vertical merges say "continue" in the cells below; those repeat the text above.
  void table(const pugi::xml_node node, int depth) {
    TableBuilder builder;
    for (const pugi::xml_node row : node.children("w:tr")) {
      builder.begin_row();
      for (const pugi::xml_node cell : row.children("w:tc")) {
        const auto properties = cell.child("w:tcPr");
        const int span =
            std::clamp(properties.child("w:gridSpan").attribute("w:val").as_int(1), 1, 60);
        const auto merge = properties.child("w:vMerge");
        if (merge && std::string_view(merge.attribute("w:val").as_string()) != "restart") {
          builder.cell_from_above(span);
          continue;
        }
        std::string text;
        cell_text(cell, text, depth + 1);
        builder.cell(text, span);
      }
    }
    const std::string markdown = builder.markdown();
    if (markdown.empty()) return;
    if (!out_.empty()) out_ += "\n\n";
    out_ += trim(markdown);
    last_item_ = false;
  }

  std::map<std::string, int> styles_;
  std::string out_;
  bool last_item_ = false;
};

}  // namespace

Result<std::string> docx_text(const std::string& document_xml, const std::string& styles_xml) {
  pugi::xml_document doc;
  const auto parsed = doc.load_buffer(document_xml.data(), document_xml.size(),
                                      pugi::parse_default | pugi::parse_ws_pcdata);
  if (!parsed)
    return data_loss("word/document.xml: {} at byte {}", parsed.description(), parsed.offset);
  std::string text =
      DocxText(heading_styles(styles_xml)).run(doc.child("w:document").child("w:body"));
  if (trim(text).empty()) return invalid("no text in the DOCX");
  return text;
}

Result<Drafts> read_docx(const RawFile& file) {
  PLINTH_TRY(Parts parts, zip_parts(file.bytes, "DOCX", [](std::string_view name) {
               return name == "word/document.xml" || name == "word/styles.xml";
             }));
  if (!parts.contains("word/document.xml")) return data_loss("the DOCX has no word/document.xml");
  Draft draft;
  draft.end = file.bytes.size();
  PLINTH_TRY(draft.text, docx_text(parts["word/document.xml"], parts["word/styles.xml"]));
  Drafts out;
  out.drafts.push_back(std::move(draft));
  return out;
}

}  // namespace plinth::corpus
