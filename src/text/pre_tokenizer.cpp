#include "text/pre_tokenizer.h"

#include <unicode/uchar.h>

#include <array>
#include <cstdint>
#include <vector>

#include "text/unicode.h"

namespace plinth::text {

namespace {

constexpr std::string_view kGpt2Regex =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2Regex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kLlamaBpeRegex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

enum class Kind : uint8_t { kOther, kLetter, kNumber, kSpace, kEnd };

// Kinds of all characters, one byte each: 1.1 MB of which text touches a few pages.
const Kind* kinds() {
  static const std::vector<Kind> table = [] {
    std::vector<Kind> kinds_of(0x110000, Kind::kOther);
    u_enumCharTypes(
        [](const void* context, UChar32 start, UChar32 limit, UCharCategory category) -> UBool {
          const uint32_t mask = U_MASK(category);
          const Kind kind = (mask & U_GC_L_MASK) != 0   ? Kind::kLetter
                            : (mask & U_GC_N_MASK) != 0 ? Kind::kNumber
                                                        : Kind::kOther;
          auto* out = static_cast<Kind*>(const_cast<void*>(context));
          for (UChar32 c = start; c < limit; ++c) out[c] = kind;
          return true;
        },
        kinds_of.data());
    // White_Space lies below U+3001 altogether.
    for (UChar32 c = 0; c <= 0x3000; ++c)
      if (u_isUWhiteSpace(c)) kinds_of[static_cast<size_t>(c)] = Kind::kSpace;
    return kinds_of;
  }();
  return table.data();
}

struct Step {
  Kind kind = Kind::kEnd;
  size_t next = 0;  // where the following character starts
};

class Walker {
 public:
  explicit Walker(std::string_view text) : text_(text), kinds_(kinds()) {}

  Step at(size_t position) const {
    if (position >= text_.size()) return {Kind::kEnd, position};
    const Utf8Char c = utf8_at(text_, position);
    if (c.code < 0) return {Kind::kOther, position + 1};
    return {kinds_[c.code], position + static_cast<size_t>(c.length)};
  }

  char byte(size_t position) const { return position < text_.size() ? text_[position] : '\0'; }

  bool newline(size_t position) const { return byte(position) == '\n' || byte(position) == '\r'; }

  // The end of the run of `kind` that starts at `position`, at most `characters_max` long.
  size_t run(Kind kind, size_t position, int characters_max = INT32_MAX) const {
    for (int taken = 0; taken < characters_max; ++taken) {
      const Step step = at(position);
      if (step.kind != kind) break;
      position = step.next;
    }
    return position;
  }

  size_t newlines(size_t position) const {
    while (newline(position)) ++position;
    return position;
  }

 private:
  std::string_view text_;
  const Kind* kinds_;
};

// 's 't 're 've 'm 'll 'd at an apostrophe: where it ends, or 0.
size_t contraction_end(const Walker& walker, size_t at, bool ignore_case) {
  const auto lower = [&](char c) {
    return ignore_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 'a' - 'A') : c;
  };
  const char first = lower(walker.byte(at + 1));
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
  const char second = lower(walker.byte(at + 2));
  if ((first == 'r' || first == 'v') && second == 'e') return at + 3;
  if (first == 'l' && second == 'l') return at + 3;
  // U+017F, the long s, is an s to (?i).
  if (ignore_case && first == '\xC5' && walker.byte(at + 2) == '\xBF') return at + 3;
  return 0;
}

// \s+(?!\S)|\s+ : all of a run at the end of the text, else all but its last character, which
// belongs to what follows.
size_t space_end(const Walker& walker, size_t at) {
  size_t last = at;
  Step step = walker.at(at);
  size_t end = step.next;
  while ((step = walker.at(end)).kind == Kind::kSpace) {
    last = end;
    end = step.next;
  }
  if (step.kind == Kind::kEnd || last == at) return end;
  return last;
}

size_t gpt2_end(const Walker& walker, size_t at) {
  if (walker.byte(at) == '\'') {
    if (const size_t end = contraction_end(walker, at, false)) return end;
  }
  size_t start = at;
  Step step = walker.at(at);
  if (walker.byte(at) == ' ') {
    const Step after = walker.at(at + 1);
    if (after.kind != Kind::kSpace && after.kind != Kind::kEnd) {
      start = at + 1;
      step = after;
    }
  }
  if (step.kind == Kind::kSpace) return space_end(walker, at);
  return walker.run(step.kind, start);
}

size_t qwen2_end(const Walker& walker, size_t at, int digits_max) {
  if (walker.byte(at) == '\'') {
    if (const size_t end = contraction_end(walker, at, true)) return end;
  }
  const Step step = walker.at(at);
  if (step.kind == Kind::kLetter) return walker.run(Kind::kLetter, step.next);
  if (step.kind == Kind::kNumber) return walker.run(Kind::kNumber, at, digits_max);
  const Step after = walker.at(step.next);
  if (!walker.newline(at) && after.kind == Kind::kLetter)
    return walker.run(Kind::kLetter, after.next);
  if (step.kind == Kind::kOther) return walker.newlines(walker.run(Kind::kOther, step.next));
  if (walker.byte(at) == ' ' && after.kind == Kind::kOther)
    return walker.newlines(walker.run(Kind::kOther, after.next));
  // \s*[\r\n]+ : up to the last line break of the run.
  const size_t end = walker.run(Kind::kSpace, step.next);
  for (size_t last = end; last > at; --last)
    if (walker.newline(last - 1)) return last;
  return space_end(walker, at);
}

size_t digit_end(const Walker& walker, size_t at) {
  Step step = walker.at(at);
  if (step.kind == Kind::kNumber) return step.next;
  size_t end = at;
  while (step.kind != Kind::kNumber && step.kind != Kind::kEnd) {
    end = step.next;
    step = walker.at(end);
  }
  return end;
}

constexpr std::array kAll = {PreTokenizer::kGpt2, PreTokenizer::kQwen2, PreTokenizer::kLlamaBpe,
                             PreTokenizer::kDigit};

}  // namespace

std::optional<PreTokenizer> pre_tokenizer_named(std::string_view name) {
  for (const auto pre : kAll)
    if (!name.empty() && name == pre_tokenizer_name(pre)) return pre;
  return std::nullopt;
}

std::string_view pre_tokenizer_name(PreTokenizer pre) {
  switch (pre) {
    case PreTokenizer::kGpt2:
      return "gpt-2";
    case PreTokenizer::kQwen2:
      return "qwen2";
    case PreTokenizer::kLlamaBpe:
      return "llama-bpe";
    case PreTokenizer::kDigit:
      return {};
  }
  return {};
}

std::optional<PreTokenizer> pre_tokenizer_of_regex(std::string_view regex) {
  for (const auto pre : kAll)
    if (regex == pre_tokenizer_regex(pre)) return pre;
  return std::nullopt;
}

std::string_view pre_tokenizer_regex(PreTokenizer pre) {
  switch (pre) {
    case PreTokenizer::kGpt2:
      return kGpt2Regex;
    case PreTokenizer::kQwen2:
      return kQwen2Regex;
    case PreTokenizer::kLlamaBpe:
      return kLlamaBpeRegex;
    case PreTokenizer::kDigit:
      return R"(\p{N})";
  }
  return {};
}

size_t piece_end(PreTokenizer pre, std::string_view text, size_t at) {
  const Walker walker(text);
  switch (pre) {
    case PreTokenizer::kGpt2:
      return gpt2_end(walker, at);
    case PreTokenizer::kQwen2:
      return qwen2_end(walker, at, 1);
    case PreTokenizer::kLlamaBpe:
      return qwen2_end(walker, at, 3);
    case PreTokenizer::kDigit:
      return digit_end(walker, at);
  }
  return text.size();
}

}  // namespace plinth::text
