// What the readers hand to the pipeline: text that still needs cleaning.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace plinth::corpus {

// Marks the beginning of a page inside a draft's text, always at the start of a line. Cleaning
// keeps it; the last stage turns it into Source::pages.
constexpr char kPageMark = '\f';

struct Draft {
  std::string title;
  std::string text;  // UTF-8; headings "#", tables as Markdown
  uint64_t begin = 0;
  uint64_t end = 0;
  int first_page = 0;      // number of the page at the first kPageMark, 0 without pages
  int blocks_removed = 0;  // navigation, advertisements, running heads
  std::vector<std::string> rules;
};

// A part of a file that could not be read: one line in the rejects.
struct Unreadable {
  uint64_t begin = 0;
  uint64_t end = 0;
  std::string reason;
};

struct Drafts {
  std::vector<Draft> drafts;
  std::vector<Unreadable> bad;
};

// What is to be read: a whole file, or the rows of a JSONL or CSV file.
struct RawFile {
  std::string path;  // relative, for titles and messages
  std::string_view bytes;
  std::string charset = {};  // what came with the bytes says of them (an HTTP header): a hint
  // Of a mapped file: pages that were read may leave memory (they come back when read again).
  std::function<void()> release = {};
};

}  // namespace plinth::corpus
