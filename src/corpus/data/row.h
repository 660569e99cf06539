// A training row on its way: running text, or a question with its answer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "corpus/corpus.h"

namespace plinth::corpus {

struct Row {
  std::string_view generator;  // "text", "faq", "heading", "article", "table", "statement", ...
  std::string source;          // document id
  std::string question;        // empty for running text
  std::string answer;          // the text itself for running text
};

// Running text in windows of at most `window_chars`, cut between lines, each under its document's
// title and its heading.
void add_text_rows(const Document& document, int window_chars, std::vector<Row>& rows);

// Question and answer pairs that stand in the text: 问：/答：, Q:/A:, a bold line or a heading that
// ends in a question mark.
void add_faq_rows(const Document& document, std::vector<Row>& rows);

// "《标题》中关于“小标题”的规定是什么？" with the section as the answer, and articles (第六条)
// likewise.
void add_heading_rows(const Document& document, int answer_chars_max, std::vector<Row>& rows);

}  // namespace plinth::corpus
