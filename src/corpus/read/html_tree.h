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
  std::string label;  // class, id and role of an element, lower case words separated by spaces
  int32_t parent = -1;
  int32_t end = 0;  // the subtree of node i is [i, end)
  int16_t colspan = 1;
  int16_t rowspan = 1;
  bool hidden = false;  // hidden attribute, display:none, aria-hidden

  bool is_text() const { return tag.empty(); }
};

// Parses UTF-8. Never recursive; elements deeper than a bound are folded into the deepest allowed
// one. An error only where libxml2 finds no tree at all.
Result<std::vector<HtmlNode>> parse_html(std::string_view utf8);

bool is_block_tag(std::string_view tag);

}  // namespace plinth::corpus
