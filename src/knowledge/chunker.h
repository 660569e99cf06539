// Cuts a document into passages that can be cited. Private to knowledge.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace plinth::knowledge {

struct Chunk {
  std::string section = {};  // headings from the outside in, joined by " > "
  std::string text = {};
  int64_t begin = 0;  // characters of the document
  int64_t end = 0;
};

// A chunk stays inside one section. Paragraphs are collected up to kChunkTarget characters; one
// paragraph longer than kChunkMax is cut after a sentence, or at kChunkMax where there is none.
inline constexpr int64_t kChunkTarget = 200;
inline constexpr int64_t kChunkMax = 400;

std::vector<Chunk> cut_into_chunks(std::string_view text);

// The level of a line that is a heading (1 is outermost), 0 for other lines. Markdown "#", laws'
// 编 章 节 条, numbered titles ("3.2 抽样"). `title_bytes` is how much of the line is the heading's
// title: all of it, but for an article (第十条) only its number, as its text follows on the line.
struct Heading {
  int level = 0;
  size_t title_begin = 0;
  size_t title_end = 0;
  bool text_follows = false;  // the line is also a paragraph
};

Heading heading_of(std::string_view line);

}  // namespace plinth::knowledge
