#include "text/jinja/lexer.h"

#include <array>
#include <optional>

#include "text/unicode.h"

namespace plinth::text::jinja {

namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

std::string unix_newlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  Result<std::vector<Token>> run() {
    while (at_ < source_.size()) {
      const size_t open = find_open();
      PLINTH_TRY(text_until(open));
      if (open == source_.size()) break;
      PLINTH_TRY(tag());
    }
    push(TokenKind::kEnd, {});
    return std::move(tokens_);
  }

 private:
  char peek(size_t ahead = 0) const {
    return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
  }

  bool starts(std::string_view what) const { return source_.substr(at_).starts_with(what); }

  Error fail(std::string_view what) const {
    return invalid("chat template line {}: {}", line_, what);
  }

  void push(TokenKind kind, std::string text) { tokens_.push_back({kind, line_, std::move(text)}); }

  void advance(size_t to) {
    for (; at_ < to; ++at_)
      if (source_[at_] == '\n') ++line_;
  }

  size_t find_open() const {
    for (size_t i = at_; i + 1 < source_.size(); ++i)
      if (source_[i] == '{' &&
          (source_[i + 1] == '{' || source_[i + 1] == '%' || source_[i + 1] == '#'))
        return i;
    return source_.size();
  }

  // The text before a tag, less what its whitespace control takes away.
  Status text_until(size_t open) {
    std::string_view text = source_.substr(at_, open - at_);
    if (open < source_.size()) {
      const char sign = open + 2 < source_.size() ? source_[open + 2] : '\0';
      if (sign == '-') {
        while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
      } else if (sign != '+' && source_[open + 1] != '{') {
        strip_indent(text);
      }
    }
    if (!text.empty()) push(TokenKind::kText, std::string(text));
    advance(open);
    return {};
  }

  // lstrip_blocks: only blanks between the beginning of the line and the tag.
  void strip_indent(std::string_view& text) const {
    const size_t newline = text.rfind('\n');
    if (newline == text.npos && !line_starting_) return;
    const size_t start = newline == text.npos ? 0 : newline + 1;
    if (text.substr(start).find_first_not_of(" \t\v\f") == text.npos) text = text.substr(0, start);
  }

  Status tag() {
    const char kind = peek(1);
    if (kind == '#') return comment();
    if (kind == '%') {
      PLINTH_TRY(const bool raw, raw_block());
      if (raw) return {};
    }
    push(kind == '{' ? TokenKind::kOutputBegin : TokenKind::kBlockBegin, {});
    const std::string_view close = kind == '{' ? "}}" : "%}";
    at_ += 2;
    if (peek() == '-' || peek() == '+') ++at_;
    brackets_.clear();
    while (true) {
      skip_spaces();
      if (at_ >= source_.size()) return fail(fmt::format("the tag is not closed by {}", close));
      if (brackets_.empty() && at_end(close)) break;
      PLINTH_TRY(token());
    }
    push(kind == '{' ? TokenKind::kOutputEnd : TokenKind::kBlockEnd, {});
    finish_tag(close);
    return {};
  }

  bool at_end(std::string_view close) const {
    if (starts(close)) return true;
    return (peek() == '-' || peek() == '+') && source_.substr(at_ + 1).starts_with(close);
  }

  // Steps over [-+]close and the whitespace that it takes along.
  void finish_tag(std::string_view close) {
    const char sign = peek();
    if (sign == '-' || sign == '+') ++at_;
    size_t end = at_ + close.size();
    if (sign == '-') {
      while (end < source_.size() && is_space(source_[end])) ++end;
    } else if (sign != '+' && close != "}}" && end < source_.size() && source_[end] == '\n') {
      ++end;  // trim_blocks
    }
    line_starting_ = source_[end - 1] == '\n';
    advance(end);
  }

  Status comment() {
    const size_t close = source_.find("#}", at_ + 2);
    if (close == source_.npos) return fail("the comment is not closed by #}");
    const bool signed_close =
        close > at_ + 2 && (source_[close - 1] == '-' || source_[close - 1] == '+');
    advance(signed_close ? close - 1 : close);
    finish_tag("#}");
    return {};
  }

  // {% raw %} ... {% endraw %}: true when there was one.
  Result<bool> raw_block() {
    const auto tag_end = [&](size_t from, std::string_view name) -> std::optional<size_t> {
      size_t i = from + 2;
      if (i < source_.size() && (source_[i] == '-' || source_[i] == '+')) ++i;
      while (i < source_.size() && is_space(source_[i])) ++i;
      if (!source_.substr(i).starts_with(name)) return std::nullopt;
      i += name.size();
      while (i < source_.size() && is_space(source_[i])) ++i;
      const size_t sign = i < source_.size() && (source_[i] == '-' || source_[i] == '+') ? 1 : 0;
      if (!source_.substr(i + sign).starts_with("%}")) return std::nullopt;
      return i;
    };
    const auto open = tag_end(at_, "raw");
    if (!open) return false;
    advance(*open);
    finish_tag("%}");
    for (size_t i = at_; (i = source_.find("{%", i)) != source_.npos; ++i) {
      const auto close = tag_end(i, "endraw");
      if (!close) continue;
      PLINTH_TRY(text_until(i));
      advance(*close);
      finish_tag("%}");
      return true;
    }
    return fail("{% raw %} is not closed by {% endraw %}");
  }

  void skip_spaces() {
    size_t end = at_;
    while (end < source_.size() && is_space(source_[end])) ++end;
    advance(end);
  }

  Status token() {
    const char c = peek();
    if (c == '\'' || c == '"') return string(c);
    if (is_digit(c)) return number();
    if (is_name_start(c)) {
      size_t end = at_;
      while (end < source_.size() && (is_name_start(source_[end]) || is_digit(source_[end]))) ++end;
      push(TokenKind::kName, std::string(source_.substr(at_, end - at_)));
      at_ = end;
      return {};
    }
    return op();
  }

  Status op() {
    constexpr std::array<std::string_view, 25> kOperators = {
        "**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<",
        ">",  "=",  "(",  ")",  "[",  "]",  "{", "}", ",", ".", ":", "|"};
    for (const std::string_view name : kOperators) {
      if (!starts(name)) continue;
      const char c = name[0];
      if (c == '(' || c == '[' || c == '{') brackets_ += c;
      if ((c == ')' || c == ']' || c == '}') && !brackets_.empty()) brackets_.pop_back();
      push(TokenKind::kOperator, std::string(name));
      at_ += name.size();
      return {};
    }
    return fail(fmt::format("unexpected character '{}'", to_valid_utf8(source_.substr(at_, 1))));
  }

  Status number() {
    size_t end = at_;
    const auto digits = [&] {
      while (end < source_.size() && (is_digit(source_[end]) || source_[end] == '_')) ++end;
    };
    digits();
    TokenKind kind = TokenKind::kInt;
    if (end + 1 < source_.size() && source_[end] == '.' && is_digit(source_[end + 1])) {
      kind = TokenKind::kFloat;
      ++end;
      digits();
    }
    size_t exponent = end;
    if (exponent < source_.size() && (source_[exponent] == 'e' || source_[exponent] == 'E')) {
      ++exponent;
      if (exponent < source_.size() && (source_[exponent] == '-' || source_[exponent] == '+'))
        ++exponent;
      if (exponent < source_.size() && is_digit(source_[exponent])) {
        kind = TokenKind::kFloat;
        end = exponent;
        digits();
      }
    }
    std::string text;
    for (const char c : source_.substr(at_, end - at_))
      if (c != '_') text += c;
    push(kind, std::move(text));
    at_ = end;
    return {};
  }

  Status string(char quote) {
    const int line = line_;
    std::string value;
    size_t i = at_ + 1;
    for (; i < source_.size() && source_[i] != quote; ++i) {
      if (source_[i] != '\\' || i + 1 == source_.size()) {
        value += source_[i];
        continue;
      }
      ++i;
      PLINTH_TRY(escape(i, value));
    }
    if (i >= source_.size()) return fail("the string is not closed");
    advance(i + 1);
    tokens_.push_back({TokenKind::kString, line, std::move(value)});
    return {};
  }

  // The escape whose letter is source_[i]; leaves i on its last character. Python's rules.
  Status escape(size_t& i, std::string& value) const {
    switch (source_[i]) {
      case 'n':
        value += '\n';
        return {};
      case 't':
        value += '\t';
        return {};
      case 'r':
        value += '\r';
        return {};
      case 'b':
        value += '\b';
        return {};
      case 'f':
        value += '\f';
        return {};
      case 'v':
        value += '\v';
        return {};
      case 'a':
        value += '\a';
        return {};
      case '0':
        value += '\0';
        return {};
      case '\\':
      case '\'':
      case '"':
        value += source_[i];
        return {};
      case '\n':
        return {};
      case 'x':
        return code_point(i, 2, value);
      case 'u':
        return code_point(i, 4, value);
      case 'U':
        return code_point(i, 8, value);
      default:
        value += '\\';
        value += source_[i];
        return {};
    }
  }

  Status code_point(size_t& i, size_t digits, std::string& value) const {
    uint32_t code = 0;
    for (size_t d = 0; d < digits; ++d) {
      const char c = i + 1 < source_.size() ? source_[i + 1] : '\0';
      if (!is_hex(c)) return fail("a \\x, \\u or \\U escape lacks hexadecimal digits");
      code = code * 16 + static_cast<uint32_t>(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
      ++i;
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) code = 0xFFFD;
    append_utf8(static_cast<int32_t>(code), value);
    return {};
  }

  std::string_view source_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;  // what was read last ended a line
  std::string brackets_;       // open ones in this tag: "}}" may close two of them
  std::vector<Token> tokens_;
};

}  // namespace

Result<std::vector<Token>> tokenize(std::string_view source) {
  const std::string text = unix_newlines(source);
  return Lexer(text).run();
}

}  // namespace plinth::text::jinja
