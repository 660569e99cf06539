// Charsets told from 16 characters: cuts of laws and of poems in traditional characters, encoded;
// and from whole files whose folder names the charset.
#include <map>

#include "core/rng.h"
#include "corpus/measure/measure.h"
#include "corpus/utf8.h"
#include "text/encoding.h"

namespace plinth::corpus {
namespace {

using text::Charset;

constexpr size_t kChars = 16;
constexpr int kCuts = 4000;  // per charset

// Sixteen characters in a row of a random text, line breaks included, at least half of them Han.
std::string random_cut(const std::vector<std::pair<std::string, std::string>>& documents,
                       Rng& rng) {
  for (int tries = 0; tries < 1000; ++tries) {
    const std::string& text = documents[rng.below(documents.size())].second;
    if (text.size() < 200) continue;
    size_t at = rng.below(text.size() - 100);
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
    const std::string_view cut = prefix_chars(std::string_view(text).substr(at), kChars);
    size_t han = 0;
    for (size_t i = 0; i < cut.size();) han += is_han(next_char(cut, i)) ? 1 : 0;
    if (han * 2 >= kChars && count_chars(cut) == kChars) return std::string(cut);
  }
  return {};
}

// Is the decoded text the same? UTF-16 of either kind, GB18030 and its subsets count by that.
bool comes_back(const std::string& cut, const std::string& bytes) {
  return text::decode_text(bytes).text == cut;
}

}  // namespace

Status measure_charsets(Measurement& m) {
  PLINTH_TRY(const auto laws, m.documents("raw/law/laws_md.tar.zst"));
  PLINTH_TRY(const auto poems, m.documents("pretrain/poems_and_classics.jsonl.zst"));
  if (!laws.empty() && !poems.empty()) {
    Rng rng(1);
    int right = 0, all = 0;
    for (const Charset charset : {Charset::kUtf8, Charset::kGb18030, Charset::kBig5,
                                  Charset::kUtf16Le, Charset::kUtf16Be}) {
      int found = 0, n = 0;
      for (int tries = 0; n < kCuts && tries < 20 * kCuts; ++tries) {
        const std::string cut = random_cut(charset == Charset::kBig5 ? poems : laws, rng);
        const auto bytes = text::encode_as(cut, charset);
        if (cut.empty() || !bytes) continue;  // simplified characters in Big5
        found += comes_back(cut, *bytes) ? 1 : 0;
        ++n;
      }
      if (n == 0) continue;
      m.add({fmt::format("charset of {} characters, {}", kChars, text::charset_name(charset)),
             100.0 * found / n, "%", 0});
      right += found;
      all += n;
    }
    m.add({fmt::format("charset of {} characters, all", kChars), 100.0 * right / all, "%", 99.5});
  }
  PLINTH_TRY(const auto fixtures, m.documents("raw/encodings/charset_fixtures.tar.zst"));
  const std::map<std::string, Charset> names = {{"GB2312", Charset::kGb18030},
                                                {"Big5", Charset::kBig5},
                                                {"UTF-16BE", Charset::kUtf16Be},
                                                {"UTF-16LE", Charset::kUtf16Le}};
  int right = 0, all = 0;
  for (const auto& [path, bytes] : fixtures) {
    const auto name = names.find(path.substr(0, path.find('/')));
    if (name == names.end() || bytes.empty()) continue;
    ++all;
    right += text::detect_charset(bytes).charset == name->second ? 1 : 0;
  }
  if (all > 0)
    m.add({fmt::format("charset of whole files ({}; GB2312, Big5, UTF-16)", all),
           100.0 * right / all, "%", 99.5});
  return {};
}

}  // namespace plinth::corpus
