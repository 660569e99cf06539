// PDF by poppler: text page by page, lines put together into paragraphs, running heads and page
// numbers dropped. Scanned pages have no text layer and are reported as such.
#include <poppler-document.h>
#include <poppler-global.h>
#include <poppler-page.h>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>

#include "corpus/outline.h"
#include "corpus/read/readers.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr int kPagesMax = 20'000;
constexpr size_t kTextBytesMax = size_t{256} << 20;

using Lines = std::vector<std::string>;

// Poppler keeps global state (fonts, parameters); one document at a time is the promise it makes.
std::mutex& poppler_mutex() {
  static std::mutex mutex;
  return mutex;
}

void ignore_message(const std::string&, void*) {}

Result<std::vector<Lines>> page_lines(std::string_view bytes) {
  if (bytes.size() > INT32_MAX)
    return exhausted("a PDF of {} bytes, more than {}", bytes.size(), INT32_MAX);
  const std::lock_guard lock(poppler_mutex());
  poppler::set_debug_error_function(&ignore_message, nullptr);
  const std::unique_ptr<poppler::document> document(
      poppler::document::load_from_raw_data(bytes.data(), static_cast<int>(bytes.size())));
  if (!document) return data_loss("not a PDF that can be opened, {} bytes", bytes.size());
  if (document->is_locked())
    return make_error(Code::kPermissionDenied, "the PDF asks for a password");
  const int pages = document->pages();
  if (pages < 1 || pages > kPagesMax)
    return data_loss("the PDF has {} pages, outside 1..{}", pages, kPagesMax);
  std::vector<Lines> out(static_cast<size_t>(pages));
  size_t total = 0;
  for (int i = 0; i < pages; ++i) {
    const std::unique_ptr<poppler::page> page(document->create_page(i));
    if (!page) continue;
    const auto text = page->text(poppler::rectf(), poppler::page::raw_order_layout).to_utf8();
    total += text.size();
    if (total > kTextBytesMax)
      return exhausted("the PDF holds more than {} bytes of text", kTextBytesMax);
    each_line(std::string_view(text.data(), text.size()), [&](std::string_view line) {
      for (size_t at; (at = line.find('\f')) != line.npos;) line = line.substr(at + 1);
      if (!trim(line).empty()) out[static_cast<size_t>(i)].emplace_back(trim(line));
    });
  }
  return out;
}

// "第 3 页 共 12 页" -> "第#页共#页": running heads differ in their numbers only.
std::string shape_of(std::string_view line) {
  std::string out;
  for (const char c : line) {
    if (c == ' ') continue;
    const char mark = c >= '0' && c <= '9' ? '#' : c;
    if (mark != '#' || out.empty() || out.back() != '#') out.push_back(mark);
  }
  return out;
}

bool is_page_number(std::string_view line) {
  const std::string shape = shape_of(line);
  return shape == "#" || shape == "-#-" || shape == "—#—" || shape == "第#页" || shape == "#/#" ||
         shape == "第#页共#页" || shape == "第#页/共#页" || shape == "Page#" || shape == "Page#of#";
}

// Drops lines at the edges of pages that come back on at least half of them, and page numbers.
int drop_running_heads(std::vector<Lines>& pages) {
  constexpr size_t kEdge = 2;
  std::map<std::string, int> seen;
  const auto edges = [&](const Lines& lines, auto&& body) {
    for (size_t i = 0; i < lines.size(); ++i)
      if (i < kEdge || i + kEdge >= lines.size()) body(i);
  };
  for (const Lines& lines : pages) edges(lines, [&](size_t i) { ++seen[shape_of(lines[i])]; });
  int dropped = 0;
  for (Lines& lines : pages) {
    std::vector<bool> gone(lines.size(), false);
    edges(lines, [&](size_t i) {
      const int times = seen[shape_of(lines[i])];
      const bool repeated = pages.size() >= 3 && times * 2 >= static_cast<int>(pages.size()) &&
                            times >= 3 && count_chars(lines[i]) <= 50;
      gone[i] = repeated || is_page_number(lines[i]);
    });
    Lines kept;
    for (size_t i = 0; i < lines.size(); ++i) {
      if (gone[i])
        ++dropped;
      else
        kept.push_back(std::move(lines[i]));
    }
    lines = std::move(kept);
  }
  return dropped;
}

// Does `line` go on after `before`? Full lines that do not end a sentence do, unless a new heading,
// article or list item begins.
bool continues(std::string_view before, std::string_view line, size_t full_chars) {
  if (ends_with_any(before, {"。", "！", "？", "；", "：", ".", "!", "?", ";", ":", "|"}))
    return false;
  if (begins_item(line) || heading_level(before) > 0 || heading_level(line) > 0) return false;
  return count_chars(before) * 100 >= full_chars * 85;
}

bool needs_space(std::string_view before, std::string_view line) {
  const auto ascii = [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7F;
  };
  return ascii(before.back()) && ascii(line.front());
}

// The width of a full line: the 90th percentile of line lengths.
size_t full_line_chars(const std::vector<Lines>& pages) {
  std::vector<size_t> lengths;
  for (const Lines& lines : pages)
    for (const std::string& line : lines) lengths.push_back(count_chars(line));
  if (lengths.empty()) return 0;
  const auto at = lengths.begin() + static_cast<long>(lengths.size() * 9 / 10);
  std::nth_element(lengths.begin(), at, lengths.end());
  return *at;
}

// The first line of a document is its title when it is short and no sentence.
int title_level(std::string_view line) {
  const bool title = count_chars(line) <= 40 && line.find("。") == line.npos &&
                     !ends_with_any(line, {"；", "：", "，", ".", ":"});
  return title && !begins_item(line) ? 1 : heading_level(line);
}

std::string join_pages(const std::vector<Lines>& pages) {
  const size_t full = full_line_chars(pages);
  std::string out, paragraph;
  const auto flush = [&] {
    if (paragraph.empty()) return;
    const int level = out.size() <= 1 ? title_level(paragraph) : heading_level(paragraph);
    if (level > 0 && out.size() > 1) out += "\n";
    if (level > 0) out += std::string(static_cast<size_t>(level), '#') + " ";
    out += paragraph + "\n";
    if (level > 0) out += "\n";
    paragraph.clear();
  };
  for (const Lines& lines : pages) {
    bool mark = true;  // this page's mark is still to be set
    for (const std::string& line : lines) {
      const bool joins =
          !paragraph.empty() && continues(paragraph.substr(paragraph.rfind('\n') + 1), line, full);
      if (!joins) flush();
      if (mark && !joins) {
        out.push_back(kPageMark);
        mark = false;
      }
      if (joins && needs_space(paragraph, line)) paragraph.push_back(' ');
      paragraph += line;
    }
    if (mark) {  // nothing began on this page: its mark comes before what follows
      flush();
      out.push_back(kPageMark);
    }
  }
  flush();
  return out;
}

}  // namespace

Result<Drafts> read_pdf(const RawFile& file) {
  PLINTH_TRY(auto pages, page_lines(file.bytes));
  Draft draft;
  draft.end = file.bytes.size();
  draft.first_page = 1;
  draft.blocks_removed = 0;
  const size_t page_count = pages.size();
  const int heads = drop_running_heads(pages);
  if (heads > 0) draft.rules.push_back(fmt::format("pdf:running-heads:{}", heads));
  draft.text = join_pages(pages);
  if (trim(draft.text).empty())
    return invalid("the PDF has no text layer on its {} pages (scanned?)", page_count);
  Drafts out;
  out.drafts.push_back(std::move(draft));
  return out;
}

}  // namespace plinth::corpus
