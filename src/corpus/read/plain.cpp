// Plain text and Markdown, and the choice of a reader.
#include "corpus/read/readers.h"
#include "corpus/text_path.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

Result<Draft> whole_file(const RawFile& file) {
  PLINTH_TRY(auto decoded, decode_text(file.bytes, file.charset));
  Draft draft;
  draft.end = file.bytes.size();
  if (decoded.charset != "utf-8" && decoded.charset != "ascii")
    draft.rules.push_back("charset:" + decoded.charset);
  draft.text = std::move(decoded.text);
  return draft;
}

Drafts single(Draft draft) {
  Drafts out;
  out.drafts.push_back(std::move(draft));
  return out;
}

// "---\ntitle: x\n---\n" at the top: the title is kept, the block goes.
void take_front_matter(Draft& draft) {
  const std::string_view text = draft.text;
  if (!text.starts_with("---\n")) return;
  const size_t close = text.find("\n---\n", 3);
  if (close == text.npos || close > 8192) return;
  bool pairs = true;
  each_line(text.substr(4, close - 4), [&](std::string_view line) {
    if (line.find(':') == line.npos && !trim(line).empty() && !starts_with_any(line, {" ", "-"}))
      pairs = false;
    if (line.starts_with("title:")) {
      auto title = trim(line.substr(6));
      if (title.size() >= 2 && (title.front() == '"' || title.front() == '\'') &&
          title.back() == title.front())
        title = title.substr(1, title.size() - 2);
      draft.title = std::string(title);
    }
  });
  if (!pairs) return;
  draft.text.erase(0, close + 5);
  draft.rules.emplace_back("markdown:front-matter");
}

// <!-- ... --> is for editors of the file, not for its readers.
void drop_comments(Draft& draft) {
  const std::string_view text = draft.text;
  std::string kept;
  size_t at = 0;
  while (true) {
    const size_t open = text.find("<!--", at);
    const size_t close = open == text.npos ? text.npos : text.find("-->", open + 4);
    if (close == text.npos) break;
    kept += text.substr(at, open - at);
    at = close + 3;
  }
  if (at == 0) return;
  kept += text.substr(at);
  draft.text = std::move(kept);
  draft.rules.emplace_back("markdown:comments");
}

}  // namespace

std::string stem_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash != path.npos) path.remove_prefix(slash + 1);
  const size_t dot = path.rfind('.');
  return std::string(dot == path.npos || dot == 0 ? path : path.substr(0, dot));
}

std::string title_of(std::string_view text, std::string_view path) {
  constexpr size_t kTitleCharsMax = 60;
  std::string title;
  int lines = 0;
  each_line(text.substr(0, 4096), [&](std::string_view line) {
    line = trim(line);
    if (!title.empty() || line.empty() || ++lines > 3) return;
    if (line.starts_with("#")) {
      title = std::string(trim(line.substr(std::min(line.find_first_not_of('#'), line.size()))));
      if (count_chars(title) > kTitleCharsMax) title.clear();
    } else if (lines == 1 && count_chars(line) <= 40 && !line.starts_with("|") &&
               line.find("：") == line.npos &&
               !ends_with_any(line, {"。", "；", "，", "！", "？", ".", ";", ",", ":", "："})) {
      title = std::string(line);
    }
  });
  return title.empty() ? stem_of(path) : title;
}

Result<Drafts> read_text(const RawFile& file) {
  PLINTH_TRY(Draft draft, whole_file(file));
  return single(std::move(draft));
}

Result<Drafts> read_markdown(const RawFile& file) {
  PLINTH_TRY(Draft draft, whole_file(file));
  take_front_matter(draft);
  drop_comments(draft);
  return single(std::move(draft));
}

Result<Drafts> read_any(const RawFile& file, Kind kind, const RefineRecipe& recipe) {
  if (trim(file.bytes).empty()) return invalid("the file is empty");
  switch (kind) {
    case Kind::kText:
      return read_text(file);
    case Kind::kMarkdown:
      return read_markdown(file);
    case Kind::kHtml:
      return read_html(file);
    case Kind::kPdf:
      return read_pdf(file);
    case Kind::kDocx:
      return read_docx(file);
    case Kind::kXlsx:
      return read_xlsx(file, recipe);
    case Kind::kPptx:
      return read_pptx(file);
    case Kind::kEpub:
      return read_epub(file);
    case Kind::kCsv:
      return read_csv(file, recipe);
    case Kind::kJsonl:
      return read_jsonl(file, recipe);
    default:
      return invalid("{} content of {} bytes has no reader", kind_name(kind), file.bytes.size());
  }
}

}  // namespace plinth::corpus
