#include "corpus/exam_index.h"

#include <algorithm>

#include "core/json.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr uint64_t kBase = 0x9E3779B97F4A7C15u;

// The answer as text: itself, or the choice that its index or letter names.
std::string answer_of(const Json& row) {
  const auto choices = row.find("choices");
  const auto choice = [&](int64_t i) -> std::string {
    if (choices == row.end() || !choices->is_array() || i < 0 ||
        i >= static_cast<int64_t>(choices->size()))
      return {};
    const Json& value = (*choices)[static_cast<size_t>(i)];
    return value.is_string() ? value.get<std::string>() : std::string();
  };
  const auto answer = row.find("answer");
  if (answer == row.end()) return {};
  if (answer->is_number_integer()) return choice(answer->get<int64_t>());
  if (!answer->is_string()) return {};
  const std::string text = answer->get<std::string>();
  const bool letter = text.size() == 1 && text[0] >= 'A' && text[0] <= 'Z';
  return letter && choices != row.end() ? choice(text[0] - 'A') : text;
}

}  // namespace

// Calls body(hash, first, last) for each run, with the byte positions of its first and last
// character.
template <typename Body>
void ExamIndex::each_run(std::string_view text, Body&& body) const {
  const auto n = static_cast<size_t>(run_);
  uint64_t leading = 1;
  for (size_t i = 1; i < n; ++i) leading *= kBase;
  std::vector<uint64_t> window(n);
  std::vector<size_t> starts(n);
  uint64_t hash = 0;
  size_t count = 0, slot = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t from = at;
    const char32_t c = fold_char(next_char(text, at));
    if (!is_word(c)) continue;
    hash = (hash - window[slot] * leading) * kBase +
           (c + 1);  // the window holds zeros until it is full
    window[slot] = c + 1;
    starts[slot] = from;
    slot = slot + 1 == n ? 0 : slot + 1;
    if (++count >= n) body(hash, starts[slot], from);
  }
}

void ExamIndex::add(std::string_view text) {
  each_run(text, [&](uint64_t hash, size_t, size_t) {
    runs_.insert(hash);
    maybe_[filter_slot(hash)] = true;
  });
}

Status ExamIndex::add_row(std::string_view line, std::string_view where) {
  PLINTH_TRY(const Json row, parse_json(line, where));
  const std::string question =
      row.is_object() ? string_or(row, "question", string_or(row, "prompt", "")) : "";
  if (question.empty()) return invalid("{}: no \"question\"", where);
  add(question);
  add(question + answer_of(row));
  ++questions_;
  return {};
}

Result<ExamIndex> ExamIndex::read(std::span<const Path> suites, int run) {
  ExamIndex index(run);
  for (const Path& suite : suites) {
    PLINTH_TRY(const std::string text, read_file(suite));
    size_t at = 0;
    for (int number = 1; at < text.size(); ++number) {
      const size_t end = std::min(text.find('\n', at), text.size());
      const auto line = std::string_view(text).substr(at, end - at);
      at = end + 1;
      if (trim(line).empty()) continue;
      PLINTH_TRY(index.add_row(line, fmt::format("{} line {}", suite.string(), number)));
    }
  }
  return index;
}

bool ExamIndex::touches(std::string_view text) const {
  if (runs_.empty()) return false;
  bool found = false;
  each_run(text, [&](uint64_t hash, size_t, size_t) { found = found || holds(hash); });
  return found;
}

std::vector<bool> ExamIndex::touched_lines(std::string_view text) const {
  std::vector<size_t> ends;  // of each line
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i] == '\n') ends.push_back(i);
  ends.push_back(text.size());
  std::vector<bool> touched(ends.size(), false);
  if (runs_.empty()) return touched;
  const auto line_of = [&](size_t at) {
    return static_cast<size_t>(std::lower_bound(ends.begin(), ends.end(), at) - ends.begin());
  };
  each_run(text, [&](uint64_t hash, size_t first, size_t last) {
    if (!holds(hash)) return;
    for (size_t line = line_of(first), end = line_of(last); line <= end; ++line)
      touched[line] = true;
  });
  return touched;
}

Cut cut_exam_lines(std::string_view text, const ExamIndex& index) {
  Cut cut;
  cut.text = std::string(text);
  const auto before = static_cast<double>(std::max<size_t>(count_chars(text), 1));
  while (!index.empty()) {
    const auto touched = index.touched_lines(cut.text);
    if (std::find(touched.begin(), touched.end(), true) == touched.end()) break;
    std::string kept;
    size_t line = 0;
    each_line(cut.text, [&](std::string_view content) {
      if (!touched[line++])
        kept.append(content).push_back('\n');
      else if (!trim(content).empty())
        cut.lines.emplace_back(content);
      // The page mark must outlive its line.
      if (touched[line - 1] && content.starts_with('\f')) kept.push_back('\f');
    });
    cut.text = std::move(kept);
  }
  size_t gone = 0;
  for (const std::string& line : cut.lines) gone += count_chars(line);
  cut.share = static_cast<double>(gone) / before;
  return cut;
}

}  // namespace plinth::corpus
