#include "corpus/read/html_tree.h"

#include <libxml/HTMLparser.h>
#include <libxml/tree.h>

#include <algorithm>
#include <array>
#include <climits>
#include <memory>

#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr int kDepthMax = 250;
constexpr size_t kNodesMax = 4'000'000;

std::string_view view(const xmlChar* text) {
  return text == nullptr ? std::string_view()
                         : std::string_view(reinterpret_cast<const char*>(text));
}

std::string_view attribute(const xmlNode& node, std::string_view name) {
  for (const xmlAttr* at = node.properties; at != nullptr; at = at->next)
    if (view(at->name) == name)
      return at->children != nullptr ? view(at->children->content) : std::string_view(" ");
  return {};
}

// "siteNav top_bar" -> "site nav top bar": words at separators and at a capital after a small
// letter.
void add_words(std::string_view text, std::string& out) {
  char last = ' ';
  for (const char c : text.substr(0, 400)) {
    const auto u = static_cast<unsigned char>(c);
    const bool letter = is_latin(u) && u < 0x80;
    if (c >= 'A' && c <= 'Z' && last >= 'a' && last <= 'z') out.push_back(' ');
    out.push_back(letter || is_digit(u) ? static_cast<char>(fold_char(u)) : ' ');
    last = c;
  }
  out.push_back(' ');
}

int16_t span_of(std::string_view text) {
  int value = 0;
  for (const char c : text.substr(0, 3)) {
    if (c < '0' || c > '9') break;
    value = value * 10 + (c - '0');
  }
  return static_cast<int16_t>(std::clamp(value, 1, 60));
}

bool is_hidden(const xmlNode& node) {
  if (!attribute(node, "hidden").empty() || attribute(node, "aria-hidden") == "true") return true;
  std::string style;
  for (const char c : attribute(node, "style").substr(0, 300))
    if (c != ' ') style.push_back(static_cast<char>(fold_char(static_cast<unsigned char>(c))));
  // visibility:hidden is left alone: pages hide their whole article that way until a script has
  // run.
  return style.find("display:none") != style.npos;
}

HtmlNode element(const xmlNode& node, int32_t parent) {
  HtmlNode out;
  out.parent = parent;
  for (const char c : view(node.name).substr(0, 32))
    out.tag.push_back(static_cast<char>(fold_char(static_cast<unsigned char>(c))));
  if (out.tag.empty()) out.tag = "span";
  for (const auto* name : {"class", "id", "role"}) add_words(attribute(node, name), out.label);
  out.hidden = is_hidden(node);
  if (out.tag == "td" || out.tag == "th") {
    out.colspan = span_of(attribute(node, "colspan"));
    out.rowspan = span_of(attribute(node, "rowspan"));
  }
  return out;
}

std::vector<HtmlNode> flatten(const xmlNode* root) {
  std::vector<HtmlNode> out;
  std::vector<int32_t> open;  // indices of the elements we are inside
  const xmlNode* node = root;
  int folded = 0;  // elements below the depth bound that we are inside
  const auto leave = [&] {
    if (folded > 0) {
      --folded;
    } else {
      out[static_cast<size_t>(open.back())].end = static_cast<int32_t>(out.size());
      open.pop_back();
    }
  };
  while (node != nullptr && out.size() < kNodesMax) {
    const int32_t parent = open.empty() ? -1 : open.back();
    bool entered = false;
    if (node->type == XML_ELEMENT_NODE) {
      if (open.size() < kDepthMax) {
        out.push_back(element(*node, parent));
        open.push_back(static_cast<int32_t>(out.size()) - 1);
      } else {
        ++folded;
      }
      entered = true;
    } else if ((node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE) &&
               parent >= 0) {
      HtmlNode text;
      text.text = std::string(view(node->content));
      text.parent = parent;
      text.end = static_cast<int32_t>(out.size()) + 1;
      out.push_back(std::move(text));
    }
    if (entered && node->children != nullptr) {
      node = node->children;
      continue;
    }
    if (entered) leave();
    while (node != root && node->next == nullptr) {
      node = node->parent;
      if (node == nullptr || node == root) break;
      leave();
    }
    node = node == nullptr || node == root ? nullptr : node->next;
  }
  while (!open.empty()) leave();
  return out;
}

}  // namespace

bool is_block_tag(std::string_view tag) {
  static constexpr std::array<std::string_view, 46> kBlocks = {
      "address", "article",  "aside",  "blockquote", "body",  "caption", "center",   "dd",
      "details", "dialog",   "dir",    "div",        "dl",    "dt",      "fieldset", "figcaption",
      "figure",  "footer",   "form",   "frameset",   "h1",    "h2",      "h3",       "h4",
      "h5",      "h6",       "header", "hr",         "html",  "li",      "main",     "menu",
      "nav",     "noscript", "ol",     "p",          "pre",   "section", "summary",  "table",
      "tbody",   "td",       "tfoot",  "th",         "thead", "tr"};
  return tag == "ul" || std::find(kBlocks.begin(), kBlocks.end(), tag) != kBlocks.end();
}

Result<std::vector<HtmlNode>> parse_html(std::string_view utf8) {
  if (utf8.size() > INT_MAX / 2)
    return exhausted("HTML of {} bytes is larger than the parser takes", utf8.size());
  constexpr int kOptions = HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                           HTML_PARSE_NONET | HTML_PARSE_COMPACT;
  const std::unique_ptr<xmlDoc, decltype(&xmlFreeDoc)> doc(
      htmlReadMemory(utf8.data(), static_cast<int>(utf8.size()), nullptr, "UTF-8", kOptions),
      &xmlFreeDoc);
  const xmlNode* root = doc ? xmlDocGetRootElement(doc.get()) : nullptr;
  if (root == nullptr) return data_loss("no HTML element in {} bytes", utf8.size());
  auto nodes = flatten(root);
  if (nodes.size() >= kNodesMax) return exhausted("HTML has more than {} nodes", kNodesMax);
  return nodes;
}

}  // namespace plinth::corpus
