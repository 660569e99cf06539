// An HTML page as a flat array in document order: what the content finder and the renderer walk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace plinth::corpus {

struct HtmlNode {
  std::string tag;    // lower case; empty for text
  std::string text;   // of a text node
  std::string label;  // class, id, role and itemprop of an element: lower case words between spaces
  int32_t parent = -1;
  int32_t end = 0;  // the subtree of node i is [i, end)
  int16_t colspan = 1;
  int16_t rowspan = 1;
  bool block = false;   // begins a new line
  bool hidden = false;  // hidden attribute, display:none, aria-hidden

  bool is_text() const { return tag.empty(); }
};

// Parses UTF-8 in one pass, after the rules of HTML, section 13.2, as far as they bear on text:
// omitted end tags, tags that are never closed, raw text. Node 0 is "html". What scripts and styles
// hold is left out. Never recursive; elements deeper than a bound are folded into the deepest
// allowed one.
Result<std::vector<HtmlNode>> parse_html(std::string_view utf8);

}  // namespace plinth::corpus
