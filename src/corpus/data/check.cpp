// check_dataset(): is this file fit for training?
#include <algorithm>
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

// What a row says, and how much of it is learned.
struct Said {
  std::string text;
  int64_t prompt_chars = 0;
  int64_t learned_chars = 0;
};

bool calls_tools(const Json& message) {
  const auto calls = message.find("tool_calls");
  return calls != message.end() && calls->is_array() && !calls->empty();
}

Result<Said> said_in(const Json& row) {
  Said out;
  const auto list = row.find("messages");
  if (list == row.end()) {
    PLINTH_TRY(out.text, get_string(row, "text"));
    if (trim(out.text).empty()) return invalid("\"text\" is empty");
    out.learned_chars = static_cast<int64_t>(count_chars(out.text));
    return out;
  }
  if (!list->is_array() || list->empty()) return invalid("\"messages\" is no list or an empty one");
  bool answered = false;
  std::string last;
  for (const Json& message : *list) {
    if (!message.is_object())
      return invalid("a message is a JSON {}, not an object", message.type_name());
    PLINTH_TRY(const std::string role, get_string(message, "role"));
    std::string content;
    const bool calls = role == "assistant" && calls_tools(message);
    if (calls) {
      content = string_or(message, "content", "");
    } else {
      PLINTH_TRY(content, get_string(message, "content"));
    }
    if (role != "system" && role != "user" && role != "assistant" && role != "tool")
      return invalid("role \"{}\" is none of system, user, assistant, tool", role);
    if (role == last && role != "tool") return invalid("two {} messages in a row", role);
    if (role == "assistant" && trim(content).empty() && !calls)
      return invalid("an assistant message is empty");
    if (role == "system" && !last.empty()) return invalid("a system message is not the first one");
    answered = answered || role == "assistant";
    (role == "assistant" ? out.learned_chars : out.prompt_chars) +=
        static_cast<int64_t>(count_chars(content));
    last = role;
    out.text += content + "\n";
  }
  if (!answered) return invalid("no assistant message: nothing to learn from");
  return out;
}

Lengths lengths_of(std::vector<int64_t> all) {
  if (all.empty()) return {};
  std::sort(all.begin(), all.end());
  const auto at = [&](double share) {
    return all[static_cast<size_t>(share * static_cast<double>(all.size() - 1))];
  };
  return {all.front(), at(0.5), at(0.95), all.back()};
}

Json to_json(const Lengths& l) {
  return {{"least", l.least}, {"median", l.median}, {"p95", l.p95}, {"most", l.most}};
}

}  // namespace

Result<ShapedRow> plain_row(std::string_view line) {
  PLINTH_TRY(Json row, parse_json(line, "row"));
  if (!row.is_object()) return invalid("a JSON {}, not an object", row.type_name());
  const bool messages = row.contains("messages");
  return ShapedRow{messages ? "messages" : "text", std::move(row)};
}

Result<CheckReport> check_dataset(const Path& file, const std::vector<Path>& suites,
                                  const RowShaper& shaper) {
  PLINTH_TRY(const ExamIndex exams, ExamIndex::read(suites, kExamRun));
  PLINTH_TRY(const auto map, read_file(file));
  if (const auto head = trim(std::string_view(map).substr(0, 4096)); head.starts_with('['))
    return invalid("{}: a JSON array, not JSON Lines; jq -c '.[]' {} puts each row on its line",
                   file.string(), file.filename().string());
  CheckReport report;
  std::unordered_set<uint64_t> seen;
  std::vector<int64_t> prompts, learned;
  int64_t line_number = 0;
  const auto problem = [&](std::string_view what) {
    if (report.problems.size() < kProblemsMax)
      report.problems.push_back(fmt::format("line {}: {}", line_number, what));
  };
  each_line(map, [&](std::string_view line) {
    ++line_number;
    if (trim(line).empty()) return;
    const auto row = shaper(line);
    const auto said = row ? said_in(row->row) : Result<Said>(row.error());
    if (!said) {
      ++report.bad;
      return problem(said.error().message);
    }
    const bool messages = row->row.contains("messages");
    ++report.rows;
    ++report.by_shape[row->shape];
    ++(messages ? report.message_rows : report.text_rows);
    if (messages) prompts.push_back(said->prompt_chars);
    learned.push_back(said->learned_chars);
    if (!seen.insert(xxh3(said->text)).second) {
      ++report.duplicates;
      problem("the same as an earlier row");
    }
    if (exams.touches(said->text)) {
      ++report.leaks;
      problem("shares a run of 13 characters with a suite");
    }
  });
  report.prompt_chars = lengths_of(std::move(prompts));
  report.learned_chars = lengths_of(std::move(learned));
  const Json json = {{"rows", report.rows},
                     {"by_shape", report.by_shape},
                     {"prompt_chars", to_json(report.prompt_chars)},
                     {"learned_chars", to_json(report.learned_chars)},
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
