#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <array>

#include "text/unicode.h"

namespace plinth::text {

namespace {

struct Range {
  int32_t first;
  int32_t last;
};

// Where NFKC is applied; all other compatibility characters stay as they are.
constexpr std::array<Range, 9> kCompatible = {{
    {0x2E80, 0x2EFF},  // CJK radicals
    {0x2F00, 0x2FDF},  // Kangxi radicals
    {0xF900, 0xFAFF},  // CJK compatibility ideographs
    {0xFB00, 0xFB06},  // Latin ligatures
    {0xFF10, 0xFF19},  // full-width digits
    {0xFF21, 0xFF3A},  // full-width letters
    {0xFF41, 0xFF5A},
    {0xFF66, 0xFF9F},    // half-width kana
    {0x2F800, 0x2FA1F},  // CJK compatibility ideographs supplement
}};

bool is_compatible(int32_t code) {
  if (code < 0x2E80) return false;
  for (const Range& range : kCompatible)
    if (code >= range.first && code <= range.last) return true;
  return false;
}

// Invisible and meaningless in running text. U+200C and U+200D stay: Indic scripts and emoji need
// them.
bool is_removed(int32_t code) {
  if (code < 0x80) return (code < 0x20 && code != '\n' && code != '\t') || code == 0x7F;
  if (code < 0xA0) return true;
  switch (code) {
    case 0x00AD:
    case 0x200B:
    case 0x200E:
    case 0x200F:
    case 0x2060:
    case 0xFEFF:
      return true;
    default:
      return (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
  }
}

// Visible, kept as it is, and never part of a composition: nearly all of Chinese text, which then
// needs no further question.
bool is_plain(int32_t code) {
  if (code < 0x80) return code > ' ' && code < 0x7F;
  return (code >= 0x4E00 && code <= 0x9FFF) || (code >= 0x3001 && code <= 0x3020) ||
         (code >= 0x2010 && code <= 0x2027) || (code >= 0xFF01 && code <= 0xFF0F) ||
         (code >= 0xFF1A && code <= 0xFF20) || (code >= 0xFF3B && code <= 0xFF40);
}

void append_compatible(int32_t code, std::string& out) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfkc = icu::Normalizer2::getNFKCInstance(error);
  icu::UnicodeString mapped;
  if (U_SUCCESS(error) && nfkc->getDecomposition(code, mapped))
    mapped.toUTF8String(out);
  else
    append_utf8(code, out);
}

// Spaces of one line: what is kept depends on where they stand, which is known only afterwards.
class LineWriter {
 public:
  explicit LineWriter(std::string& out) : out_(out) {}

  void space(int32_t code) {
    pending_ = true;
    if (at_start_ && (code == ' ' || code == '\t')) indent_ += static_cast<char>(code);
  }

  void newline() {
    out_ += '\n';
    reset(true);
  }

  // Makes room for a visible character.
  void visible() {
    if (at_start_)
      out_ += indent_;
    else if (pending_)
      out_ += ' ';
    reset(false);
  }

 private:
  void reset(bool at_start) {
    at_start_ = at_start;
    pending_ = false;
    indent_.clear();
  }

  std::string& out_;
  std::string indent_;
  bool at_start_ = true;
  bool pending_ = false;
};

}  // namespace

std::string normalize_text(std::string_view text) {
  std::string repaired;
  if (!is_valid_utf8(text)) text = repaired = to_valid_utf8(text);
  std::string out;
  out.reserve(text.size());
  LineWriter line(out);
  bool composed = true;
  for (size_t at = 0; at < text.size();) {
    const Utf8Char c = utf8_at(text, at);
    const auto length = static_cast<size_t>(c.length);
    if (is_plain(c.code)) {
      line.visible();
      out.append(text, at, length);
    } else if (c.code == '\r') {
      if (at + 1 == text.size() || text[at + 1] != '\n') line.newline();
    } else if (c.code == '\n' || c.code == '\f' || c.code == 0x85 || c.code == 0x2028 ||
               c.code == 0x2029) {
      line.newline();
    } else if (is_removed(c.code)) {
      // Nothing takes its place.
    } else if (c.code == ' ' || c.code == '\t' || u_isUWhiteSpace(c.code)) {
      line.space(c.code);
    } else {
      line.visible();
      if (is_compatible(c.code))
        append_compatible(c.code, out);
      else
        out.append(text, at, length);
      composed = false;
    }
    at += length;
  }
  return composed ? out : to_nfc(out);
}

CharacterCounts count_characters(std::string_view utf8) {
  CharacterCounts counts;
  for (size_t at = 0; at < utf8.size();) {
    const Utf8Char c = utf8_at(utf8, at);
    at += static_cast<size_t>(c.length);
    ++counts.total;
    if (c.code < 0 || c.code == 0xFFFD) {
      ++counts.broken;
    } else if (is_han(c.code)) {
      ++counts.han;
    } else if (u_isUWhiteSpace(c.code)) {
      ++counts.spaces;
    } else {
      const uint32_t mask = U_GET_GC_MASK(c.code);
      if ((mask & (U_GC_L_MASK | U_GC_M_MASK)) != 0)
        ++counts.letters;
      else if ((mask & U_GC_ND_MASK) != 0)
        ++counts.digits;
      else if ((mask & (U_GC_P_MASK | U_GC_S_MASK | U_GC_N_MASK)) != 0)
        ++counts.punctuation;
      else
        ++counts.broken;
    }
  }
  return counts;
}

}  // namespace plinth::text
