#include "corpus/read/html_tags.h"

#include <initializer_list>
#include <unordered_map>

namespace plinth::corpus {
namespace {

using Tags = std::unordered_map<std::string_view, HtmlTag>;

// Source: HTML, sections 13.1.2 (void and raw text elements), 13.2.6.4.7 (what ends a paragraph).
Tags make_tags() {
  Tags out;
  uint8_t next = 1;
  const auto mark = [&](std::initializer_list<std::string_view> names, bool HtmlTag::*flag) {
    for (const std::string_view name : names) {
      HtmlTag& tag = out[name];
      if (tag.id == 0) tag.id = next++;
      tag.*flag = true;
    }
  };
  mark({"address", "article",  "aside",  "blockquote", "body",  "caption", "center",   "dd",
        "details", "dialog",   "dir",    "div",        "dl",    "dt",      "fieldset", "figcaption",
        "figure",  "footer",   "form",   "frameset",   "h1",    "h2",      "h3",       "h4",
        "h5",      "h6",       "header", "hr",         "html",  "li",      "main",     "menu",
        "nav",     "noscript", "ol",     "p",          "pre",   "section", "summary",  "table",
        "tbody",   "td",       "tfoot",  "th",         "thead", "tr",      "ul"},
       &HtmlTag::block);
  mark({"area", "base", "br", "col", "embed", "frame", "hr", "img", "input", "keygen", "link",
        "meta", "param", "source", "track", "wbr"},
       &HtmlTag::empty);
  mark({"script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"},
       &HtmlTag::raw);
  mark({"address", "article", "aside", "blockquote", "center",   "details",    "dialog", "dir",
        "div",     "dl",      "dt",    "dd",         "fieldset", "figcaption", "figure", "footer",
        "form",    "h1",      "h2",    "h3",         "h4",       "h5",         "h6",     "header",
        "hr",      "li",      "main",  "menu",       "nav",      "ol",         "p",      "pre",
        "section", "summary", "table", "ul"},
       &HtmlTag::ends_p);
  mark({"base", "link", "meta", "noscript", "script", "style", "template", "title"},
       &HtmlTag::head);
  mark({"abbr", "b", "big", "cite", "code", "em", "font", "i", "s", "small", "span", "strike",
        "strong", "sub", "sup", "tt", "u"},
       &HtmlTag::formatting);
  for (const std::string_view name : {"a", "button", "option", "optgroup", "select", "head"})
    out[name].id = next++;
  return out;
}

}  // namespace

const HtmlTag& html_tag(std::string_view name) {
  static const Tags kTags = make_tags();
  static const HtmlTag kUnknown;
  const auto it = kTags.find(name);
  return it == kTags.end() ? kUnknown : it->second;
}

}  // namespace plinth::corpus
