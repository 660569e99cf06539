// Finds the main content of a page: what the reader came for, without navigation and
// advertisements.
//
// Three steps: (1) drop what names itself boilerplate (nav, footer, aside, class "sidebar", hidden
// parts) or is mostly links; (2) score blocks of running text and let the score flow to their
// ancestors, as Arc90's Readability did; (3) take the best subtree and those siblings that read
// like it. Class names are a hint that a large share of the page's text overrules.
#pragma once

#include <span>
#include <vector>

#include "corpus/read/html_tree.h"

namespace plinth::corpus {

struct HtmlContent {
  std::vector<bool> keep;  // per node: rendered if it is text inside
  int blocks_removed = 0;  // maximal removed subtrees that held text
};

HtmlContent find_content(std::span<const HtmlNode> nodes);

// Everything that a reader sees, for pages that are all content (chapters of a book).
std::vector<bool> readable_nodes(std::span<const HtmlNode> nodes);

}  // namespace plinth::corpus
