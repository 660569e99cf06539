// PPTX: a ZIP with ppt/presentation.xml and a part per slide (ECMA-376 part 1, section 19). Slides
// in their order, titles as headings, tables as Markdown, speaker notes behind their slide. A slide
// is a page. Hidden slides, pictures and charts are left out.
#include <algorithm>

#include "corpus/office/office.h"
#include "corpus/office/relations.h"
#include "corpus/read/readers.h"
#include "corpus/read/table.h"
#include "corpus/utf8.h"
#include <pugixml.hpp>

namespace plinth::corpus {
namespace {

constexpr std::string_view kShow = "ppt/presentation.xml";
constexpr int kDepthMax = 64;
constexpr int kSlidesMax = 10'000;

std::string paragraph_text(const pugi::xml_node paragraph) {
  std::string out;
  for (const pugi::xml_node node : paragraph.children()) {
    const std::string_view name = node.name();
    if (name == "a:r" || name == "a:fld") out += node.child("a:t").child_value();
    if (name == "a:br") out += "\n";
  }
  return out;
}

std::string body_text(const pugi::xml_node body, std::string_view between) {
  std::string out;
  for (const pugi::xml_node paragraph : body.children("a:p")) {
    const std::string text = paragraph_text(paragraph);
    if (trim(text).empty()) continue;
    if (!out.empty()) out += between;
    out += trim(text);
  }
  return out;
}

std::string table_text(const pugi::xml_node table) {
  TableBuilder builder;
  for (const pugi::xml_node row : table.children("a:tr")) {
    builder.begin_row();
    for (const pugi::xml_node cell : row.children("a:tc")) {
      // Cells that a merged one covers are there too and say so.
      if (cell.attribute("hMerge").as_bool()) continue;
      if (cell.attribute("vMerge").as_bool()) {
        builder.cell_from_above(std::clamp(cell.attribute("gridSpan").as_int(1), 1, 60));
        continue;
      }
      builder.cell(body_text(cell.child("a:txBody"), " "),
                   std::clamp(cell.attribute("gridSpan").as_int(1), 1, 60));
    }
  }
  return builder.markdown();
}

class SlideText {
 public:
  // The title first, wherever it stands in the file.
  std::string run(const pugi::xml_node tree) {
    shapes(tree, 0);
    std::string out = title_.empty() ? "" : "## " + title_ + "\n\n";
    return out + rest_;
  }

 private:
  void shapes(const pugi::xml_node parent, int depth) {
    if (depth > kDepthMax) return;
    for (const pugi::xml_node node : parent.children()) {
      const std::string_view name = node.name();
      if (name == "p:sp")
        shape(node);
      else if (name == "p:graphicFrame")
        frame(node);
      else if (name == "p:grpSp")
        shapes(node, depth + 1);
      else if (name == "mc:AlternateContent")
        shapes(node.child("mc:Choice"), depth + 1);
    }
  }

  void shape(const pugi::xml_node node) {
    const std::string_view role =
        node.child("p:nvSpPr").child("p:nvPr").child("p:ph").attribute("type").as_string();
    if (role == "sldNum" || role == "dt" || role == "ftr" || role == "hdr") return;
    const bool title = role == "title" || role == "ctrTitle";
    const std::string text = body_text(node.child("p:txBody"), title ? " " : "\n");
    if (text.empty()) return;
    if (title && title_.empty())
      title_ = replace_all(text, "\n", " ");
    else
      rest_ += text + "\n\n";
  }

  void frame(const pugi::xml_node node) {
    const pugi::xml_node table = node.child("a:graphic").child("a:graphicData").child("a:tbl");
    if (table) rest_ += table_text(table) + "\n";
  }

  std::string title_;
  std::string rest_;
};

// The shape tree of a slide or of its notes; empty when the part cannot be parsed.
pugi::xml_node shape_tree(const std::string& xml, pugi::xml_document& doc, const char* root) {
  doc.load_buffer(xml.data(), xml.size(), pugi::parse_default | pugi::parse_ws_pcdata);
  return doc.child(root).child("p:cSld").child("p:spTree");
}

std::string notes_text(const std::string& xml) {
  pugi::xml_document doc;
  for (const pugi::xml_node shape : shape_tree(xml, doc, "p:notes").children("p:sp")) {
    const std::string_view role =
        shape.child("p:nvSpPr").child("p:nvPr").child("p:ph").attribute("type").as_string();
    if (role == "body") return body_text(shape.child("p:txBody"), "\n");
  }
  return {};
}

bool wanted(std::string_view name) {
  return name == kShow || name == relations_part(kShow) || name.starts_with("ppt/slides/") ||
         name.starts_with("ppt/notesSlides/");
}

}  // namespace

Result<std::string> pptx_text(const Parts& parts) {
  const auto part = [&](const std::string& name) -> const std::string& {
    static const std::string kNone;
    const auto it = parts.find(name);
    return it == parts.end() ? kNone : it->second;
  };
  const std::string& show_xml = part(std::string(kShow));
  pugi::xml_document show;
  const auto parsed = show.load_buffer(show_xml.data(), show_xml.size());
  if (!parsed) return data_loss("{}: {}", kShow, parsed.description());
  const auto targets = relations(part(relations_part(kShow)), folder_of(kShow));
  std::string out;
  int slides = 0;
  for (const pugi::xml_node id : show.child("p:presentation").child("p:sldIdLst").children()) {
    if (++slides > kSlidesMax) break;
    out.push_back(kPageMark);  // hidden slides have a number too
    const auto target = targets.find(id.attribute("r:id").as_string());
    if (target == targets.end()) continue;
    const std::string& slide = target->second.target;
    pugi::xml_document doc;
    const pugi::xml_node tree = shape_tree(part(slide), doc, "p:sld");
    if (!doc.child("p:sld").attribute("show").as_bool(true)) continue;
    out += SlideText().run(tree);
    for (const auto& [unused, relation] : relations(part(relations_part(slide)), folder_of(slide)))
      if (relation.type == "notesSlide")
        if (const std::string notes = notes_text(part(relation.target)); !notes.empty())
          out += "备注：" + notes + "\n\n";
  }
  if (std::all_of(out.begin(), out.end(), [](char c) { return c == kPageMark || c == '\n'; }))
    return invalid("no text in the PPTX");
  return out;
}

Result<Drafts> read_pptx(const RawFile& file) {
  PLINTH_TRY(const Parts parts, zip_parts(file.bytes, "PPTX", wanted));
  Draft draft;
  draft.end = file.bytes.size();
  draft.first_page = 1;
  PLINTH_TRY(draft.text, pptx_text(parts));
  Drafts out;
  out.drafts.push_back(std::move(draft));
  return out;
}

}  // namespace plinth::corpus
