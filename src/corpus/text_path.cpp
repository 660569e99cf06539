#include "corpus/text_path.h"

#include <array>
#include <optional>

#include "corpus/read/draft.h"
#include "corpus/utf8.h"
#include "text/encoding.h"
#include "text/unicode.h"

namespace plinth::corpus {
namespace {

constexpr double kSureBits = 10.0;  // see text::CharsetGuess

std::string lower(std::string_view name) {
  std::string out(name);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

std::optional<text::Charset> charset_named(std::string_view declared) {
  const std::string name = lower(declared);
  if (name == "utf-8" || name == "utf8") return text::Charset::kUtf8;
  if (name.starts_with("gb") || name == "x-gbk") return text::Charset::kGb18030;
  if (name.starts_with("big5")) return text::Charset::kBig5;
  if (name == "iso-8859-1" || name == "windows-1252") return text::Charset::kLatin1;
  return {};
}

// "\r\n" and "\r" become "\n".
std::string unix_lines(std::string text) {
  size_t out = text.find('\r');
  if (out == text.npos) return text;
  for (size_t i = out; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    text[out++] = text[i] == '\r' ? '\n' : text[i];
  }
  text.resize(out);
  return text;
}

// Could this be mojibake at all? Chinese UTF-8 read as GB18030 shows what ，。的是人一在有和 turn
// into (锛銆鐨鏄浜涓鍦鏈鍜 and kin, rare elsewhere); read as Latin it shows letters of
// U+00C0..U+00FF. The full comparison of readings costs as much as all other cleaning together.
bool may_be_mojibake(std::string_view raw) {
  constexpr size_t kCharsPerTraceMax = 100;  // real mojibake has one in ten
  static constexpr std::u32string_view kTraces = U"锛銆鐨鏄浜涓鍦鏈鍜浠鎴鍙绗鏃鐢搴鍚瀹涔";
  static const auto table = [] {
    std::array<bool, 0x10000> out{};
    for (const char32_t c : kTraces) out[c] = true;
    return out;
  }();
  size_t chinese = 0, traces = 0;
  for (size_t i = 0; i + 1 < raw.size(); ++i) {
    const auto lead = static_cast<unsigned char>(raw[i]);
    if (lead < 0xC3) continue;
    if (lead == 0xC3) return true;
    if (lead < 0xE4 || lead > 0xE9 || i + 2 >= raw.size()) continue;
    const unsigned code = (lead & 0x0Fu) << 12 |
                          (static_cast<unsigned char>(raw[i + 1]) & 0x3Fu) << 6 |
                          (static_cast<unsigned char>(raw[i + 2]) & 0x3Fu);
    ++chinese;
    traces += table[code] ? 1 : 0;
    i += 2;
  }
  return traces * kCharsPerTraceMax >= chinese && traces > 0;
}

// At most one blank line in a row, none at the ends.
std::string squeeze_blank_lines(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool blank = false;
  each_line(text, [&](std::string_view line) {
    if (line.empty()) {
      blank = true;
      return;
    }
    if (blank && !out.empty()) out.push_back('\n');
    blank = false;
    out += line;
    out.push_back('\n');
  });
  return out;
}

}  // namespace

Result<DecodedText> decode_text(std::string_view bytes, std::string_view declared) {
  const text::CharsetGuess guess = text::detect_charset(bytes);
  const auto named = charset_named(declared);
  const bool sure = guess.bom_bytes > 0 || guess.margin_bits >= kSureBits || !named;
  auto decoded = text::decode_as(bytes.substr(static_cast<size_t>(guess.bom_bytes)),
                                 sure ? guess.charset : *named);
  const auto replaced = static_cast<size_t>(decoded.bytes_replaced);
  if (replaced * 10 > bytes.size())
    return data_loss("{} of {} bytes are nothing in {}", replaced, bytes.size(),
                     text::charset_name(decoded.charset));
  return DecodedText{unix_lines(std::move(decoded.text)),
                     lower(text::charset_name(decoded.charset))};
}

CleanText clean_text(std::string_view raw) {
  CleanText out;
  text::Repair repair;
  if (may_be_mojibake(raw)) repair = text::repair_mojibake(raw);
  out.repaired = repair.found != text::Mojibake::kNone;
  std::string clean;
  for (std::string_view rest = out.repaired ? std::string_view(repair.text) : raw; !rest.empty();) {
    const size_t mark = rest.find(kPageMark);
    clean += text::normalize_text(rest.substr(0, mark));
    if (mark == rest.npos) break;
    if (!clean.empty() && clean.back() != '\n' && clean.back() != kPageMark) clean.push_back('\n');
    clean.push_back(kPageMark);
    rest.remove_prefix(mark + 1);
  }
  out.text = squeeze_blank_lines(clean);
  out.normalised = out.text != raw;
  return out;
}

}  // namespace plinth::corpus
