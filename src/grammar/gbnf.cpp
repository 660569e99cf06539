#include "grammar/gbnf.h"

#include <algorithm>
#include <string>
#include <unordered_map>

#include "text/unicode.h"

namespace plinth::grammar {
namespace {

constexpr size_t kBytesMax = size_t{1} << 20;
constexpr size_t kRulesMax = 20'000;
constexpr int kDepthMax = 64;
constexpr int kRepeatsMax = 8;  // one behind the other
constexpr int64_t kRepeatMax = 100'000;

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

class Parser {
 public:
  Parser(std::string_view text, Expressions& grammar) : text_(text), grammar_(grammar) {}

  Result<RuleId> parse(std::string_view root) {
    if (text_.size() > kBytesMax)
      return invalid("grammar: {} bytes, the limit is {}", text_.size(), kBytesMax);
    skip_space();
    while (at_ < text_.size()) {
      PLINTH_TRY(parse_rule());
      skip_space();
    }
    const Named* first_undefined = nullptr;
    for (const auto& [name, named] : names_)
      if (grammar_.rules()[static_cast<size_t>(named.rule)].body < 0 &&
          (first_undefined == nullptr || named.first_use < first_undefined->first_use))
        first_undefined = &named;
    if (first_undefined != nullptr) {
      at_ = first_undefined->first_use;
      return error("rule {} is used but nowhere defined",
                   grammar_.rules()[static_cast<size_t>(first_undefined->rule)].name);
    }
    const auto found = names_.find(std::string(root));
    if (found == names_.end()) return invalid("grammar: there is no rule named {}", root);
    return found->second.rule;
  }

 private:
  struct Named {
    RuleId rule = -1;
    size_t first_use = 0;
  };

  template <typename... Args>
  Error error(fmt::format_string<Args...> format, Args&&... args) const {
    const std::string_view before = text_.substr(0, std::min(at_, text_.size()));
    const auto line = 1 + std::ranges::count(before, '\n');
    const size_t begin = before.rfind('\n') == before.npos ? 0 : before.rfind('\n') + 1;
    return invalid("grammar, line {}, column {}: {}", line, before.size() - begin + 1,
                   fmt::format(format, std::forward<Args>(args)...));
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  bool take(std::string_view what) {
    if (!text_.substr(at_).starts_with(what)) return false;
    at_ += what.size();
    return true;
  }

  void skip_space() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#')
        at_ = std::min(text_.find('\n', at_), text_.size());
      else if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
        ++at_;
      else
        return;
    }
  }

  Result<RuleId> named(std::string_view name) {
    const auto [it, fresh] = names_.try_emplace(std::string(name));
    if (fresh) {
      if (names_.size() > kRulesMax) return error("more than {} rules", kRulesMax);
      it->second = {grammar_.add_rule(it->first), at_};
    }
    return it->second.rule;
  }

  std::string_view read_name() {
    const size_t begin = at_;
    while (is_name_byte(peek())) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  // Whether a rule begins here: its name and ::= are next.
  bool at_rule() {
    const size_t begin = at_;
    const bool name = !read_name().empty();
    skip_space();
    const bool rule = name && text_.substr(at_).starts_with("::=");
    at_ = begin;
    return rule;
  }

  Status parse_rule() {
    const size_t begin = at_;
    const std::string_view name = read_name();
    if (name.empty()) return error("the name of a rule is needed");
    PLINTH_TRY(const RuleId rule, named(name));
    skip_space();
    if (!take("::=")) return error("::= is needed after the rule's name {}", name);
    if (grammar_.rules()[static_cast<size_t>(rule)].body >= 0) {
      at_ = begin;
      return error("rule {} is defined twice", name);
    }
    PLINTH_TRY(const ExprId body, parse_choice(0));
    grammar_.define(rule, body);
    if (at_ < text_.size() && !at_rule()) return error("'{}' is not expected here", shown());
    return {};
  }

  // The character here, as errors show it.
  std::string shown() const {
    size_t end = at_ + 1;
    while (end < text_.size() && (static_cast<uint8_t>(text_[end]) & 0xC0) == 0x80) ++end;
    return text::to_valid_utf8(text_.substr(at_, end - at_));
  }

  Result<ExprId> parse_choice(int depth) {
    if (depth > kDepthMax) return error("groups are nested deeper than {}", kDepthMax);
    std::vector<ExprId> parts;
    do {
      PLINTH_TRY(const ExprId part, parse_sequence(depth));
      parts.push_back(part);
    } while (take("|"));
    return parts.size() == 1 ? parts[0] : grammar_.choice(std::move(parts));
  }

  Result<ExprId> parse_sequence(int depth) {
    std::vector<ExprId> parts;
    for (skip_space(); at_ < text_.size(); skip_space()) {
      const char c = peek();
      if (c == '|' || c == ')' || (is_name_byte(c) && at_rule())) break;
      const size_t begin = at_;
      PLINTH_TRY(ExprId part, parse_item(depth));
      if (at_ == begin) break;
      PLINTH_TRY(part, parse_repeats(part));
      parts.push_back(part);
    }
    return parts.size() == 1 ? parts[0] : grammar_.sequence(std::move(parts));
  }

  // Reads nothing where no item begins.
  Result<ExprId> parse_item(int depth) {
    const char c = peek();
    if (c == '"') return parse_literal();
    if (c == '[') return parse_class();
    if (c == '.') {
      ++at_;
      return grammar_.one_of(other_ranges({}));
    }
    if (c == '(') {
      ++at_;
      PLINTH_TRY(const ExprId group, parse_choice(depth + 1));
      if (!take(")")) return error("the group lacks its )");
      return group;
    }
    if (!is_name_byte(c)) return ExprId{-1};
    const size_t begin = at_;
    const std::string_view name = read_name();
    const size_t end = at_;
    at_ = begin;  // where an error would point
    PLINTH_TRY(const RuleId rule, named(name));
    at_ = end;
    return grammar_.rule(rule);
  }

  Result<ExprId> parse_repeats(ExprId part) {
    for (int times = 0;; ++times) {
      if (times > kRepeatsMax) return error("more than {} repetitions of one part", kRepeatsMax);
      skip_space();
      const char c = peek();
      if (c != '*' && c != '+' && c != '?' && c != '{') return part;
      ++at_;
      if (c == '*') part = grammar_.repeat(part, 0, kUnbounded);
      if (c == '+') part = grammar_.repeat(part, 1, kUnbounded);
      if (c == '?') part = grammar_.optional(part);
      if (c != '{') continue;
      PLINTH_TRY(part, parse_counts(part));
    }
  }

  Result<ExprId> parse_counts(ExprId part) {
    skip_space();
    int64_t min = 0;
    if (peek() != ',') {
      PLINTH_TRY(min, parse_count());
    }
    skip_space();
    int64_t max = min;
    if (take(",")) {
      skip_space();
      max = kUnbounded;
      if (peek() != '}') {
        PLINTH_TRY(max, parse_count());
      }
      skip_space();
    }
    if (!take("}")) return error("the repetition lacks its }}");
    if (max != kUnbounded && max < min)
      return error("a repetition of at least {} and at most {}", min, max);
    return grammar_.repeat(part, min, max);
  }

  Result<int64_t> parse_count() {
    int64_t count = 0;
    if (peek() < '0' || peek() > '9') return error("a number of repetitions is needed");
    for (; peek() >= '0' && peek() <= '9'; ++at_)
      if ((count = count * 10 + (peek() - '0')) > kRepeatMax)
        return error("more than {} repetitions", kRepeatMax);
    return count;
  }

  Result<ExprId> parse_literal() {
    const size_t begin = at_++;
    std::string bytes;
    while (peek() != '"') {
      if (at_ >= text_.size()) {
        at_ = begin;
        return error("the literal lacks its closing quote");
      }
      PLINTH_TRY(const uint32_t c, parse_character());
      text::append_utf8(static_cast<int32_t>(c), bytes);
    }
    ++at_;
    return grammar_.text(std::move(bytes));
  }

  Result<ExprId> parse_class() {
    const size_t begin = at_++;
    const bool others = take("^");
    std::vector<Range> ranges;
    while (peek() != ']') {
      if (at_ >= text_.size()) {
        at_ = begin;
        return error("the class lacks its ]");
      }
      PLINTH_TRY(const uint32_t first, parse_character());
      uint32_t last = first;
      if (peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        ++at_;
        PLINTH_TRY(last, parse_character());
        if (last < first) return error("a range from U+{:04X} to U+{:04X}", first, last);
      }
      ranges.push_back({first, last});
    }
    ++at_;
    ranges = normal_ranges(std::move(ranges));
    if (others) ranges = other_ranges(ranges);
    if (ranges.empty()) {
      at_ = begin;
      return error("no character fits the class");
    }
    return grammar_.one_of(std::move(ranges));
  }

  // One character of a literal or class, escapes resolved.
  Result<uint32_t> parse_character() {
    if (at_ >= text_.size()) return error("a character is missing at the end");
    if (peek() == '\\') return parse_escape();
    const text::Utf8Char c = text::utf8_at(text_, at_);
    if (c.code < 0) return error("a byte that is no UTF-8: 0x{:02X}", static_cast<uint8_t>(peek()));
    at_ += static_cast<size_t>(c.length);
    return static_cast<uint32_t>(c.code);
  }

  Result<uint32_t> parse_escape() {
    ++at_;
    const char c = peek();
    ++at_;
    switch (c) {
      case 'n':
        return uint32_t{'\n'};
      case 'r':
        return uint32_t{'\r'};
      case 't':
        return uint32_t{'\t'};
      case 'x':
        return parse_hex(2);
      case 'u':
        return parse_hex(4);
      case 'U':
        return parse_hex(8);
      default:
        if (std::string_view("\\\"[]-^").find(c) != std::string_view::npos && c != '\0')
          return static_cast<uint32_t>(c);
        --at_;
        return error("\\{} is no escape", at_ < text_.size() ? shown() : std::string());
    }
  }

  Result<uint32_t> parse_hex(int digits) {
    uint32_t value = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      const char c = peek();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return error("{} hexadecimal digits are needed", digits);
      value = value * 16 + static_cast<uint32_t>(digit);
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
      return error("U+{:04X} is no character", value);
    return value;
  }

  std::string_view text_;
  Expressions& grammar_;
  size_t at_ = 0;
  std::unordered_map<std::string, Named> names_;
};

}  // namespace

Result<RuleId> parse_gbnf(std::string_view gbnf, Expressions& grammar) {
  return Parser(gbnf, grammar).parse("root");
}

Result<RuleId> parse_gbnf(std::string_view gbnf, std::string_view name, Expressions& grammar) {
  return Parser(gbnf, grammar).parse(name);
}

}  // namespace plinth::grammar
