#include "knowledge/chunker.h"

#include <algorithm>
#include <array>
#include <optional>

#include "knowledge/utf8.h"

namespace plinth::knowledge {
namespace {

// Levels of the outline. Markdown headings use 1..6 as they are; laws nest below a document title.
constexpr int kArticleLevel = 5;
constexpr int64_t kTitleMax = 40;  // characters: a longer numbered line is a paragraph

constexpr std::string_view kDigits = "〇零一二三四五六七八九十百千两0123456789";

bool is_one_of(char32_t c, std::string_view set) {
  for (size_t at = 0; at < set.size();) {
    const CodePoint member = code_point(set, at);
    if (member.value == c) return true;
    at += member.bytes;
  }
  return false;
}

bool is_space(char32_t c) {
  return c == ' ' || c == '\t' || c == '\r' || c == 0x3000 || c == 0xa0;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(code_point(text, 0).value))
    text.remove_prefix(code_point(text, 0).bytes);
  while (!text.empty()) {
    size_t last = text.size() - 1;
    while (last > 0 && (static_cast<unsigned char>(text[last]) & 0xc0) == 0x80) --last;
    if (!is_space(code_point(text, last).value)) break;
    text = text.substr(0, last);
  }
  return text;
}

// 第<number><unit>: the unit's level and the bytes of this marker.
struct Marker {
  int level = 0;
  size_t bytes = 0;
};

std::optional<Marker> legal_marker(std::string_view line) {
  constexpr std::string_view kOrdinal = "第";
  constexpr std::array<std::pair<std::string_view, int>, 4> kUnits = {
      {{"编", 2}, {"章", 3}, {"节", 4}, {"条", kArticleLevel}}};
  if (!line.starts_with(kOrdinal)) return {};
  size_t at = kOrdinal.size();
  while (at < line.size() && is_one_of(code_point(line, at).value, kDigits))
    at += code_point(line, at).bytes;
  if (at == kOrdinal.size() || at > 48) return {};
  for (const auto& [unit, level] : kUnits)
    if (line.substr(at).starts_with(unit)) {
      at += unit.size();
      // 第十条之一
      if (level == kArticleLevel && line.substr(at).starts_with("之")) {
        size_t more = at + std::string_view("之").size();
        const size_t digits = more;
        while (more < line.size() && is_one_of(code_point(line, more).value, kDigits))
          more += code_point(line, more).bytes;
        if (more > digits) at = more;
      }
      return Marker{level, at};
    }
  return {};
}

// "3.2 抽样": the depth of the number and the bytes before the title.
std::optional<Marker> numbered_marker(std::string_view line) {
  int depth = 0;
  size_t at = 0;
  while (at < line.size() && line[at] >= '0' && line[at] <= '9') {
    size_t digits = 0;
    while (at < line.size() && line[at] >= '0' && line[at] <= '9') ++at, ++digits;
    if (digits > 3) return {};
    ++depth;
    if (at < line.size() && line[at] == '.')
      ++at;
    else
      break;
  }
  if (depth == 0 || depth > 5 || at >= line.size()) return {};
  if (!is_space(code_point(line, at).value)) return {};
  return Marker{depth, at};
}

bool ends_a_sentence(char32_t c) {
  return is_one_of(c, "。！？；!?;");
}

bool is_heading_text(std::string_view title) {
  if (title.empty() || characters(title) > kTitleMax) return false;
  size_t last = title.size() - 1;
  while (last > 0 && (static_cast<unsigned char>(title[last]) & 0xc0) == 0x80) --last;
  return !is_one_of(code_point(title, last).value, "。！？；，、!?;,");
}

// Walks the document once and keeps the character offset beside the byte offset.
class Chunker {
 public:
  explicit Chunker(std::string_view text) : text_(text) {}

  std::vector<Chunk> run() {
    size_t line_begin = 0;
    while (line_begin < text_.size()) {
      size_t line_end = text_.find('\n', line_begin);
      if (line_end == std::string_view::npos) line_end = text_.size();
      line(line_begin, line_end);
      line_begin = line_end + 1;
    }
    close();
    return std::move(chunks_);
  }

 private:
  struct Level {
    int level;
    std::string title;
  };

  void line(size_t begin, size_t end) {
    const std::string_view body = trim(text_.substr(begin, end - begin));
    if (body.empty()) return;
    const auto body_begin = static_cast<size_t>(body.data() - text_.data());
    if (const Heading heading = heading_of(body); heading.level > 0) {
      close();
      while (!outline_.empty() && outline_.back().level >= heading.level) outline_.pop_back();
      outline_.push_back(
          {heading.level,
           std::string(body.substr(heading.title_begin, heading.title_end - heading.title_begin))});
      if (!heading.text_follows) return;
    }
    paragraph(body_begin, body_begin + body.size());
  }

  void paragraph(size_t begin, size_t end) {
    const int64_t length = characters(text_.substr(begin, end - begin));
    if (open_ && open_length_ + length > kChunkMax) close();
    if (length > kChunkMax) {
      split(begin, end);
      return;
    }
    extend(begin, end, length);
    if (open_length_ >= kChunkTarget) close();
  }

  // A long paragraph: pieces that end after a sentence once they have reached the target.
  void split(size_t begin, size_t end) {
    size_t piece = begin;
    int64_t length = 0;
    for (size_t at = begin; at < end;) {
      const CodePoint c = code_point(text_, at);
      at += c.bytes;
      ++length;
      const bool full = length >= kChunkMax || (length >= kChunkTarget && ends_a_sentence(c.value));
      if (!full && at < end) continue;
      extend(piece, at, length);
      close();
      piece = at;
      length = 0;
    }
  }

  void extend(size_t begin, size_t end, int64_t length) {
    if (!open_) begin_ = begin;
    open_ = true;
    end_ = end;
    open_length_ += length;
  }

  void close() {
    if (!open_) return;
    Chunk chunk;
    for (const Level& level : outline_) {
      if (!chunk.section.empty()) chunk.section += " > ";
      chunk.section += level.title;
    }
    chunk.text = text_.substr(begin_, end_ - begin_);
    chunk.begin = character_at(begin_);
    chunk.end = character_at(end_);
    chunks_.push_back(std::move(chunk));
    open_ = false;
    open_length_ = 0;
  }

  // Characters before a byte; calls come with growing bytes, so the walk is linear in all.
  int64_t character_at(size_t byte) {
    while (counted_bytes_ < byte) {
      counted_bytes_ += code_point(text_, counted_bytes_).bytes;
      ++counted_;
    }
    return counted_;
  }

  std::string_view text_;
  std::vector<Chunk> chunks_;
  std::vector<Level> outline_;
  bool open_ = false;
  size_t begin_ = 0;
  size_t end_ = 0;
  int64_t open_length_ = 0;
  size_t counted_bytes_ = 0;
  int64_t counted_ = 0;
};

}  // namespace

Heading heading_of(std::string_view line) {
  const size_t hashes = std::min(line.find_first_not_of('#'), line.size());
  if (hashes >= 1 && hashes <= 6 && hashes < line.size() && line[hashes] == ' ') {
    const std::string_view title = trim(line.substr(hashes));
    if (title.empty()) return {};
    const auto begin = static_cast<size_t>(title.data() - line.data());
    return {static_cast<int>(hashes), begin, begin + title.size(), false};
  }
  if (const auto marker = legal_marker(line)) {
    if (marker->level == kArticleLevel) {
      // "第十条 当事人订立合同": text follows. "第十条规定的情形" in a sentence is no heading.
      const std::string_view rest = line.substr(marker->bytes);
      if (!rest.empty() && !is_space(code_point(rest, 0).value)) return {};
      return {kArticleLevel, 0, marker->bytes, !trim(rest).empty()};
    }
    if (is_heading_text(line)) return {marker->level, 0, line.size(), false};
    return {};
  }
  if (const auto marker = numbered_marker(line); marker && is_heading_text(line))
    return {marker->level, 0, line.size(), false};
  return {};
}

std::vector<Chunk> cut_into_chunks(std::string_view text) {
  return Chunker(text).run();
}

}  // namespace plinth::knowledge
