// How documents show their structure in plain lines: headings, articles, list items.
#pragma once

#include <string>
#include <string_view>

namespace plinth::corpus {

// The level 1..6 that a line without Markdown has as a heading, 0 when it is none:
// 第一章 (2), 第一节 (3), 一、 (2), （一） (3, short), 1 总则 (2), 1.2 范围 (3). A heading is short
// and does not end like a sentence.
int heading_level(std::string_view line);

// Markdown: "## x" -> 2 and the text behind the marks; 0 when the line is none.
int markdown_level(std::string_view line, std::string_view& heading);

// The line begins an article, a list item, a table row or a heading, so that it cannot be the rest
// of the line before.
bool begins_item(std::string_view line);

// "第六条 一切报修……" -> "第六条"; empty when the line is no article.
std::string_view article_of(std::string_view line);

}  // namespace plinth::corpus
