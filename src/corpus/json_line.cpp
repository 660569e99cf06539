#include "corpus/json_line.h"

#include <array>

#include "core/json.h"
#include "text/unicode.h"

namespace plinth::corpus {
namespace {

// What stands behind the backslash: 0 for what is written as it is, 'u' for four digits.
constexpr std::array<char, 256> kEscapes = [] {
  std::array<char, 256> out{};
  for (size_t c = 0; c < 0x20; ++c) out[c] = 'u';
  out['\b'] = 'b';
  out['\f'] = 'f';
  out['\n'] = 'n';
  out['\r'] = 'r';
  out['\t'] = 't';
  out['"'] = '"';
  out['\\'] = '\\';
  return out;
}();

}  // namespace

void JsonLine::name(std::string_view text) {
  separate();
  out_ += '"';
  out_ += text;
  out_ += "\":";
  first_ = true;  // no comma before its value
}

void JsonLine::text(std::string_view value) {
  separate();
  if (!text::is_valid_utf8(value)) {
    out_ += to_text(Json(value));
    return;
  }
  out_ += '"';
  size_t from = 0;  // of what is not yet copied
  for (size_t i = 0; i < value.size(); ++i) {
    const auto c = static_cast<unsigned char>(value[i]);
    if (kEscapes[c] == 0) continue;
    out_ += value.substr(from, i - from);
    from = i + 1;
    out_ += '\\';
    out_ += kEscapes[c];
    if (kEscapes[c] != 'u') continue;
    out_ += "00";
    out_ += c < 0x10 ? '0' : '1';
    out_ += "0123456789abcdef"[c & 0xF];
  }
  out_ += value.substr(from);
  out_ += '"';
}

void JsonLine::integer(int64_t value) {
  separate();
  out_ += std::to_string(value);
}

// There is more than one shortest text of a number: it is the library's.
void JsonLine::number(double value) {
  separate();
  out_ += to_text(Json(value));
}

void JsonLine::flag(bool value) {
  separate();
  out_ += value ? "true" : "false";
}

void JsonLine::null() {
  separate();
  out_ += "null";
}

void JsonLine::texts(std::span<const std::string> values) {
  open('[');
  for (const std::string& value : values) text(value);
  close(']');
}

}  // namespace plinth::corpus
