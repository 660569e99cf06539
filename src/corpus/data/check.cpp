// check_dataset(): is this file fit for training?
#include <unordered_set>

#include "core/hash.h"
#include "core/json.h"
#include "corpus/corpus.h"
#include "corpus/exam_index.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr int kExamRun = 13;
constexpr size_t kProblemsMax = 100;

// What a row teaches, as one text; the error says what is wrong with its shape.
Result<std::string> text_of(const Json& row, bool& messages) {
  if (!row.is_object()) return invalid("a JSON {}, not an object", row.type_name());
  const auto list = row.find("messages");
  messages = list != row.end();
  if (!messages) {
    PLINTH_TRY(std::string text, get_string(row, "text"));
    if (trim(text).empty()) return invalid("\"text\" is empty");
    return text;
  }
  if (!list->is_array() || list->empty()) return invalid("\"messages\" is no list or an empty one");
  std::string text;
  bool answered = false;
  std::string last;
  for (const Json& message : *list) {
    if (!message.is_object())
      return invalid("a message is a JSON {}, not an object", message.type_name());
    PLINTH_TRY(const std::string role, get_string(message, "role"));
    PLINTH_TRY(const std::string content, get_string(message, "content"));
    if (role != "system" && role != "user" && role != "assistant" && role != "tool")
      return invalid("role \"{}\" is none of system, user, assistant, tool", role);
    if (role == last && role != "tool") return invalid("two {} messages in a row", role);
    if (role == "assistant" && trim(content).empty())
      return invalid("an assistant message is empty");
    if (role == "system" && !last.empty()) return invalid("a system message is not the first one");
    answered = answered || role == "assistant";
    last = role;
    text += content + "\n";
  }
  if (!answered) return invalid("no assistant message: nothing to learn from");
  return text;
}

}  // namespace

Result<CheckReport> check_dataset(const Path& file, const std::vector<Path>& suites) {
  PLINTH_TRY(const ExamIndex exams, ExamIndex::read(suites, kExamRun));
  PLINTH_TRY(const auto map, read_file(file));
  CheckReport report;
  std::unordered_set<uint64_t> seen;
  int64_t line_number = 0;
  const auto problem = [&](std::string_view what) {
    if (report.problems.size() < kProblemsMax)
      report.problems.push_back(fmt::format("line {}: {}", line_number, what));
  };
  each_line(map, [&](std::string_view line) {
    ++line_number;
    if (trim(line).empty()) return;
    const auto row = parse_json(line, "row");
    bool messages = false;
    const auto text = row ? text_of(*row, messages) : Result<std::string>(row.error());
    if (!text) {
      ++report.bad;
      return problem(text.error().message);
    }
    ++report.rows;
    ++(messages ? report.message_rows : report.text_rows);
    if (!seen.insert(xxh3(*text)).second) {
      ++report.duplicates;
      problem("the same as an earlier row");
    }
    if (exams.touches(*text)) {
      ++report.leaks;
      problem("shares a run of 13 characters with a suite");
    }
  });
  const Json json = {{"rows", report.rows},
                     {"text_rows", report.text_rows},
                     {"message_rows", report.message_rows},
                     {"bad", report.bad},
                     {"duplicates", report.duplicates},
                     {"leaks", report.leaks},
                     {"problems", report.problems},
                     {"fine", report.fine()}};
  report.json = to_text(json);
  return report;
}

}  // namespace plinth::corpus
