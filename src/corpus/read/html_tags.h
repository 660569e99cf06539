// What the parser and the content finder must know of an HTML element.
#pragma once

#include <cstdint>
#include <string_view>

namespace plinth::corpus {

struct HtmlTag {
  uint8_t id = 0;           // 0: an element that HTML doesn't have
  bool block = false;       // begins a new line
  bool empty = false;       // never has an end tag: <br>
  bool raw = false;         // its content is text, not markup: <script>
  bool ends_p = false;      // ends an open <p>
  bool head = false;        // belongs into <head>
  bool formatting = false;  // <b>, <font>: its end tag ends no block
};

// By lower case name.
const HtmlTag& html_tag(std::string_view name);

}  // namespace plinth::corpus
