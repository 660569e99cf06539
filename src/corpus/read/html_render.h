// The kept part of a page as text: headings "#", list items "- ", data tables as Markdown.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "corpus/read/html_tree.h"

namespace plinth::corpus {

std::string render_html(std::span<const HtmlNode> nodes, const std::vector<bool>& keep);

// The text below node i on one line.
std::string inline_text(std::span<const HtmlNode> nodes, size_t i);

}  // namespace plinth::corpus
