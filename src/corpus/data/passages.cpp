// Rows that repeat passages of a document as they stand.
#include "corpus/data/row.h"
#include "corpus/data/sentences.h"
#include "corpus/outline.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

// "制度" is a rule, "手册" is content: what a section of this title holds.
std::string_view content_noun(std::string_view title) {
  return ends_with_any(title, {"制度", "规定", "办法", "条例", "细则", "规则", "法", "章程", "标准",
                               "规范", "守则"})
             ? "规定"
             : "内容";
}

struct Pair {
  std::string question;
  std::string answer;
};

// The text behind a mark such as "问：", or npos-like empty view with false.
bool after_mark(std::string_view line, std::initializer_list<std::string_view> marks,
                std::string_view& rest) {
  for (const std::string_view mark : marks) {
    if (!line.starts_with(mark)) continue;
    rest = trim(line.substr(mark.size()));
    return true;
  }
  return false;
}

// "**怎么报修？**" or "### 怎么报修？" or "3. 怎么报修？"
bool is_question_line(std::string_view line, std::string_view& question) {
  std::string_view heading = line;
  const bool is_heading = markdown_level(line, heading) > 0;
  const bool bold =
      !is_heading && line.starts_with("**") && line.ends_with("**") && line.size() > 4;
  if (bold) heading = line.substr(2, line.size() - 4);
  const size_t first = heading.find_first_not_of("0123456789.、 ");
  question = first == heading.npos ? heading : heading.substr(first);
  const bool numbered = first != heading.npos && first > 0;
  return (is_heading || bold || numbered) && ends_with_any(question, {"？", "?"}) &&
         count_chars(question) <= 80;
}

std::vector<Pair> find_pairs(std::string_view text) {
  std::vector<Pair> out;
  Pair open;
  enum class State { kOutside, kQuestion, kAnswer } state = State::kOutside;
  bool marked = false;  // the open pair uses 问/答 marks
  const auto close = [&] {
    if (state == State::kAnswer && !open.question.empty() && !trim(open.answer).empty())
      out.push_back({open.question, std::string(trim(open.answer))});
    open = {};
    state = State::kOutside;
  };
  each_line(text, [&](std::string_view raw) {
    const std::string_view line = trim(raw);
    std::string_view rest, heading;
    if (after_mark(line, {"问：", "问:", "Q：", "Q:", "问题：", "【问】"}, rest)) {
      close();
      open.question = std::string(rest);
      state = State::kQuestion;
      marked = true;
    } else if (state != State::kOutside &&
               after_mark(line, {"答：", "答:", "A：", "A:", "答案：", "【答】"}, rest)) {
      open.answer = std::string(rest);
      state = State::kAnswer;
    } else if (is_question_line(line, rest)) {
      close();
      open.question = std::string(rest);
      state = State::kAnswer;
      marked = false;
    } else if (markdown_level(line, heading) > 0 ||
               (line.empty() && marked && state == State::kAnswer)) {
      close();
    } else if (state == State::kAnswer && !line.empty()) {
      if (!open.answer.empty()) open.answer += "\n";
      open.answer += line;
    }
  });
  close();
  return out;
}

}  // namespace

void add_text_rows(const Document& document, int window_chars, std::vector<Row>& rows) {
  const std::string_view text = document.text;
  for (const Section& section : sections(text)) {
    const std::string_view body = text.substr(section.body, section.end - section.body);
    std::string head = document.title;
    if (!section.heading.empty() && section.heading != document.title)
      head += " " + section.heading;
    std::string window;
    int chars = 0;
    const auto flush = [&] {
      if (!trim(window).empty())
        rows.push_back({"text", document.id, "", head + "\n" + std::string(trim(window))});
      window.clear();
      chars = 0;
    };
    each_line(body, [&](std::string_view line) {
      for (const std::string_view part : cut_long_line(line, window_chars)) {
        const int more = static_cast<int>(count_chars(part));
        if (chars > 0 && chars + more > window_chars) flush();
        window += part;
        chars += more;
      }
      window += "\n";
    });
    flush();
  }
}

void add_faq_rows(const Document& document, std::vector<Row>& rows) {
  for (Pair& pair : find_pairs(document.text))
    rows.push_back({"faq", document.id, std::move(pair.question), std::move(pair.answer)});
}

void add_heading_rows(const Document& document, int answer_chars_max, std::vector<Row>& rows) {
  const std::string_view text = document.text;
  const std::string_view noun = content_noun(document.title);
  const auto add = [&](std::string_view generator, std::string question, std::string_view body) {
    const std::string_view answer =
        prefix_sentences(trim(body), static_cast<size_t>(answer_chars_max));
    if (count_chars(answer) >= 15)
      rows.push_back({generator, document.id, std::move(question), std::string(answer)});
  };
  for (const Section& section : sections(text)) {
    const std::string_view body = text.substr(section.body, section.end - section.body);
    if (!section.heading.empty() && section.heading != document.title &&
        !section.heading.ends_with("？"))
      add("heading",
          fmt::format("《{}》中关于“{}”的{}是什么？", document.title, section.heading, noun), body);
    each_line(body, [&](std::string_view line) {
      const std::string_view article = article_of(line);
      if (!article.empty())
        add("article", fmt::format("《{}》{}规定了什么？", document.title, article),
            trim(trim(line).substr(article.size())));
    });
  }
}

}  // namespace plinth::corpus
