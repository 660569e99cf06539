// Regular expressions of JSON Schema's `pattern`: what ECMA-262 and most others read alike. The
// content of a JSON string is matched, so each character is written as JSON escapes it.
#include <string>

#include "grammar/schema_leaf.h"
#include "text/unicode.h"

namespace plinth::grammar {
namespace {

constexpr int kDepthMax = 32;
constexpr int64_t kRepeatMax = 8192;

const std::vector<Range> kDigits{{'0', '9'}};
const std::vector<Range> kWords{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const std::vector<Range> kSpaces{
    {'\t', '\r'},     {' ', ' '},       {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
    {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
const std::vector<Range> kLineEnds{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

class Parser {
 public:
  Parser(Expressions& grammar, std::string_view pattern, const std::string& at)
      : grammar_(grammar), text_(pattern), place_(at) {}

  // An alternative that no ^ or $ holds may stand anywhere in the string.
  Result<ExprId> parse() {
    const ExprId anything =
        grammar_.repeat(json_character(grammar_, other_ranges({})), 0, kUnbounded);
    std::vector<ExprId> choices;
    do {
      std::vector<ExprId> parts;
      if (!take('^')) parts.push_back(anything);
      PLINTH_TRY(const ExprId middle, parse_sequence(0));
      parts.push_back(middle);
      if (!take('$')) parts.push_back(anything);
      choices.push_back(grammar_.sequence(std::move(parts)));
    } while (take('|'));
    if (at_ < text_.size()) return error("this is not expected here");
    return grammar_.choice(std::move(choices));
  }

 private:
  Error error(std::string_view what) const {
    return schema_error(place_, "pattern, at byte {}: {}", at_, what);
  }

  bool done() const { return at_ >= text_.size(); }

  char peek() const { return done() ? '\0' : text_[at_]; }

  bool take(char c) {
    if (done() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  Result<ExprId> parse_choice(int depth) {
    std::vector<ExprId> choices;
    do {
      PLINTH_TRY(const ExprId part, parse_sequence(depth));
      choices.push_back(part);
    } while (take('|'));
    return grammar_.choice(std::move(choices));
  }

  Result<ExprId> parse_sequence(int depth) {
    std::vector<ExprId> parts;
    while (!done() && peek() != '|' && peek() != ')' && !(peek() == '$' && depth == 0)) {
      PLINTH_TRY(ExprId part, parse_item(depth));
      PLINTH_TRY(part, parse_repeat(part));
      parts.push_back(part);
    }
    return grammar_.sequence(std::move(parts));
  }

  Result<ExprId> parse_item(int depth) {
    const char c = peek();
    if (c == '(') {
      if (depth >= kDepthMax) return error("groups are nested too deep");
      ++at_;
      if (take('?') && !take(':')) return error("of the groups with ? only (?: ) is supported");
      PLINTH_TRY(const ExprId group, parse_choice(depth + 1));
      if (!take(')')) return error("the group lacks its )");
      return group;
    }
    if (c == '^' || c == '$') return error("^ and $ are supported at the ends only");
    if (c == '*' || c == '+' || c == '?' || c == '{') return error("nothing is there to repeat");
    if (c == '[') return parse_class();
    if (take('.')) return json_character(grammar_, other_ranges(normal_ranges(kLineEnds)));
    PLINTH_TRY(const auto ranges, parse_atom(false));
    return json_character(grammar_, ranges);
  }

  Result<ExprId> parse_repeat(ExprId part) {
    int64_t min = 0;
    int64_t max = kUnbounded;
    if (take('+')) {
      min = 1;
    } else if (take('?')) {
      max = 1;
    } else if (take('{')) {
      PLINTH_TRY(min, parse_count());
      max = min;
      if (take(',')) {
        max = kUnbounded;
        if (peek() != '}') {
          PLINTH_TRY(max, parse_count());
        }
      }
      if (!take('}')) return error("the repetition lacks its }");
      if (max != kUnbounded && max < min) return error("the repetition's bounds are reversed");
    } else if (!take('*')) {
      return part;
    }
    take('?');  // lazy: the same strings
    if (peek() == '*' || peek() == '+' || peek() == '{') return error("a repetition is repeated");
    return grammar_.repeat(part, min, max);
  }

  Result<int64_t> parse_count() {
    int64_t count = 0;
    if (peek() < '0' || peek() > '9') return error("a number is needed");
    for (; peek() >= '0' && peek() <= '9'; ++at_)
      if ((count = count * 10 + (peek() - '0')) > kRepeatMax)
        return error(fmt::format("more than {} repetitions", kRepeatMax));
    return count;
  }

  Result<ExprId> parse_class() {
    ++at_;
    const bool others = take('^');
    std::vector<Range> ranges;
    while (!done() && peek() != ']') {
      PLINTH_TRY(auto atom, parse_atom(true));
      const bool range = peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']';
      if (range) {
        ++at_;
        PLINTH_TRY(const auto last, parse_atom(true));
        if (atom.size() != 1 || last.size() != 1 || atom[0].first != atom[0].last ||
            last[0].first != last[0].last || last[0].first < atom[0].first)
          return error("no range from one character to a later one");
        atom[0].last = last[0].first;
      }
      ranges.insert(ranges.end(), atom.begin(), atom.end());
    }
    if (!take(']')) return error("the class lacks its ]");
    ranges = normal_ranges(std::move(ranges));
    return json_character(grammar_, others ? other_ranges(ranges) : ranges);
  }

  // A character, or a class such as \d.
  Result<std::vector<Range>> parse_atom(bool in_class) {
    if (done()) return error("a character is missing at the end");
    if (take('\\')) return parse_escape(in_class);
    const text::Utf8Char c = text::utf8_at(text_, at_);
    if (c.code < 0) return error("a byte that is no UTF-8");
    at_ += static_cast<size_t>(c.length);
    return one(static_cast<uint32_t>(c.code));
  }

  static std::vector<Range> one(uint32_t c) { return {{c, c}}; }

  Result<std::vector<Range>> parse_escape(bool in_class) {
    const char c = peek();
    ++at_;
    switch (c) {
      case 'd':
        return kDigits;
      case 'w':
        return kWords;
      case 's':
        return kSpaces;
      case 'D':
        return other_ranges(kDigits);
      case 'W':
        return other_ranges(kWords);
      case 'S':
        return other_ranges(kSpaces);
      case 'n':
        return one('\n');
      case 'r':
        return one('\r');
      case 't':
        return one('\t');
      case 'f':
        return one('\f');
      case 'v':
        return one('\v');
      case 'x':
        return parse_hex(2);
      case 'u':
        return parse_hex(4);
      default:
        break;
    }
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter || c == '\0' || static_cast<uint8_t>(c) >= 0x80 || (in_class && c == '&')) {
      --at_;
      return error("this escape is not supported");
    }
    return one(static_cast<uint32_t>(c));
  }

  Result<std::vector<Range>> parse_hex(int digits) {
    uint32_t value = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      const char c = peek();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return error("hexadecimal digits are needed");
      value = value * 16 + static_cast<uint32_t>(digit);
    }
    if (value >= 0xD800 && value <= 0xDFFF) return error("a surrogate is no character");
    return one(value);
  }

  Expressions& grammar_;
  std::string_view text_;
  const std::string& place_;
  size_t at_ = 0;
};

}  // namespace

Result<ExprId> pattern_content(Expressions& grammar, std::string_view pattern,
                               const std::string& at) {
  return Parser(grammar, pattern, at).parse();
}

}  // namespace plinth::grammar
