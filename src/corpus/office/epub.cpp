// EPUB: a ZIP of XHTML parts whose order is the spine of an OPF package (EPUB 3.3, section 5). The
// whole book is one document; a part of the spine is a page.
#include <algorithm>

#include "corpus/office/office.h"
#include "corpus/office/relations.h"
#include "corpus/read/html_content.h"
#include "corpus/read/html_render.h"
#include "corpus/read/readers.h"
#include "corpus/text_path.h"
#include "corpus/utf8.h"
#include <pugixml.hpp>

namespace plinth::corpus {
namespace {

constexpr std::string_view kContainer = "META-INF/container.xml";
constexpr int kSpineMax = 20'000;

bool wanted(std::string_view name) {
  const size_t dot = name.rfind('.');
  const std::string_view tail = dot == name.npos ? std::string_view() : name.substr(dot);
  return name == kContainer || tail == ".opf" || tail == ".xhtml" || tail == ".html" ||
         tail == ".htm" || tail == ".xml";
}

// "Text/%E4%B8%80.xhtml" -> its bytes.
std::string unescape_url(std::string_view url) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'                 ? c - '0'
           : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                : -1;
  };
  std::string out;
  url = url.substr(0, url.find('#'));
  for (size_t i = 0; i < url.size(); ++i) {
    if (url[i] == '%' && i + 2 < url.size() && digit(url[i + 1]) >= 0 && digit(url[i + 2]) >= 0) {
      out.push_back(static_cast<char>(digit(url[i + 1]) * 16 + digit(url[i + 2])));
      i += 2;
    } else {
      out.push_back(url[i]);
    }
  }
  return out;
}

struct SpineItem {
  std::string part;
  bool navigation = false;
};

struct Package {
  std::string title;
  std::vector<SpineItem> spine;
};

Result<Package> read_package(const std::string& opf_xml, std::string_view folder) {
  pugi::xml_document doc;
  const auto parsed = doc.load_buffer(opf_xml.data(), opf_xml.size());
  if (!parsed) return data_loss("the EPUB's package: {}", parsed.description());
  // Some writers put a prefix before every name.
  const std::string root_name = doc.document_element().name();
  const size_t colon = root_name.find(':');
  const std::string prefix = colon == root_name.npos ? "" : root_name.substr(0, colon + 1);
  const auto child = [&](const pugi::xml_node node, const char* name) {
    return node.child((prefix + name).c_str());
  };
  const pugi::xml_node root = doc.document_element();
  std::map<std::string, SpineItem> items;
  for (const pugi::xml_node item : child(root, "manifest").children())
    items[item.attribute("id").as_string()] = {
        resolve_part(folder, unescape_url(item.attribute("href").as_string())),
        std::string_view(item.attribute("properties").as_string()).find("nav") !=
            std::string_view::npos};
  Package out;
  out.title = trim(child(root, "metadata").child("dc:title").child_value());
  for (const pugi::xml_node ref : child(root, "spine").children()) {
    const auto item = items.find(ref.attribute("idref").as_string());
    if (item != items.end() && out.spine.size() < kSpineMax) out.spine.push_back(item->second);
  }
  return out;
}

// All of a chapter is content.
Result<std::string> chapter_text(const std::string& xhtml) {
  PLINTH_TRY(const auto decoded, decode_text(xhtml));
  PLINTH_TRY(const auto nodes, parse_html(decoded.text));
  return render_html(nodes, readable_nodes(nodes));
}

}  // namespace

Result<Draft> epub_draft(const Parts& parts) {
  const auto container = parts.find(std::string(kContainer));
  if (container == parts.end()) return data_loss("the EPUB has no {}", kContainer);
  pugi::xml_document doc;
  doc.load_buffer(container->second.data(), container->second.size());
  const std::string opf = resolve_part("", doc.document_element()
                                               .child("rootfiles")
                                               .child("rootfile")
                                               .attribute("full-path")
                                               .as_string());
  const auto package_part = parts.find(opf);
  if (package_part == parts.end()) return data_loss("the EPUB has no package \"{}\"", opf);
  PLINTH_TRY(const Package package, read_package(package_part->second, folder_of(opf)));
  Draft draft;
  draft.title = package.title;
  draft.first_page = 1;
  bool any = false;
  int bad = 0;
  for (const SpineItem& item : package.spine) {
    draft.text.push_back(kPageMark);
    const auto part = parts.find(item.part);
    if (part == parts.end() || item.navigation) continue;
    const auto text = chapter_text(part->second);
    if (!text) {
      ++bad;
      continue;
    }
    any |= !trim(*text).empty();
    draft.text += *text + "\n\n";
  }
  if (!any) return invalid("no text in the EPUB's {} parts", package.spine.size());
  if (bad > 0) draft.rules.push_back(fmt::format("epub:unreadable-parts:{}", bad));
  return draft;
}

Result<Drafts> read_epub(const RawFile& file) {
  PLINTH_TRY(const Parts parts, zip_parts(file.bytes, "EPUB", wanted));
  PLINTH_TRY(Draft draft, epub_draft(parts));
  draft.end = file.bytes.size();
  Drafts out;
  out.drafts.push_back(std::move(draft));
  return out;
}

}  // namespace plinth::corpus
