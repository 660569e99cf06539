// Suites: what a model is asked, read from files.
//
// JSON Lines, one item a line:
//   {"id": "1", "type": "choice", "question": "...", "choices": ["...", "..."], "answer": 0}
//   {"id": "2", "type": "short", "question": "...", "answer": "..." or ["...", "..."]}
//   {"id": "3", "type": "text", "text": "..."}
// Choice and short questions may be mixed: that is an exam. Texts keep to themselves. A missing id
// is the line number; `type` may be left out where the keys tell (choices: choice; question: short;
// text: text). Any other file (.txt, .md) is a text suite: paragraphs, separated by blank lines,
// are its documents. A line that is wrong is an error with file and line: a suite that silently
// lost items measures something else.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"
#include "core/result.h"

namespace plinth::eval {

enum class SuiteKind : uint8_t { kChoice, kShort, kText, kExam };

std::string_view kind_name(SuiteKind kind);  // "choice", "short", "text", "exam"

struct Item {
  std::string id;
  SuiteKind kind = SuiteKind::kText;      // never kExam
  std::string question = {};              // choice, short
  std::vector<std::string> choices = {};  // choice: at least two
  int64_t answer = -1;                    // choice: index of the right one
  std::vector<std::string> answers = {};  // short: any of them is right
  std::string text = {};                  // text
};

struct Suite {
  std::string name;
  SuiteKind kind = SuiteKind::kChoice;
  std::vector<Item> items = {};  // at least one, ids unique
};

Result<Suite> read_suite(const Path& path);

// `name` names the suite and begins every message.
Result<Suite> parse_jsonl_suite(std::string_view text, std::string_view name);
Result<Suite> parse_text_suite(std::string_view text, std::string_view name);

}  // namespace plinth::eval
