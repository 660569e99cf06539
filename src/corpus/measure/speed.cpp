// How fast the text path and its stages are, on one thread, over national laws in Markdown.
#include "core/hash.h"
#include "corpus/measure/measure.h"
#include "corpus/process.h"
#include "corpus/text_path.h"

namespace plinth::corpus {

Status measure_speed(Measurement& m) {
  PLINTH_TRY(const auto laws, m.documents("raw/law/laws_md.tar.zst"));
  PLINTH_TRY(const auto books, m.documents("raw/medicine/tcm_ancient_books_gb18030.tar.zst"));
  PLINTH_TRY(const Rules rules, read_rules({}, {}));
  uint64_t bytes = 0, sink = 0;
  std::vector<Leaf> leaves;
  std::vector<std::string> clean;
  for (const auto& [path, text] : laws) {
    bytes += text.size();
    Leaf leaf;
    leaf.path = path;
    leaf.kind = Kind::kMarkdown;
    leaf.bytes = text;
    leaves.push_back(std::move(leaf));
    clean.push_back(clean_text(text).text);
  }
  const auto add = [&](const char* name, uint64_t n, double target, auto&& work) {
    m.add({name, m.rate(n, work), "MB/s", target});
  };
  if (!laws.empty()) {
    add("text path, laws: decode to signatures", bytes, 25, [&] {
      for (const Leaf& leaf : leaves) sink += process_leaf(leaf, "", rules).outcomes.size();
    });
    uint64_t clean_bytes = 0;
    for (const std::string& text : clean) clean_bytes += text.size();
    add("normalise", bytes, 0, [&] {
      for (const auto& [unused, text] : laws) sink += clean_text(text).text.size();
    });
    add("filters", clean_bytes, 200, [&] {
      for (const std::string& text : clean) sink += judge(text, measure(text), {}).drop ? 1 : 0;
    });
    add("personal data", clean_bytes, 0, [&] {
      for (const std::string& text : clean) sink += find_personal_data(text).size();
    });
    add("MinHash of character 5-grams, 256 hashes", clean_bytes, 100, [&] {
      for (const std::string& text : clean) sink += band_keys(text)[0] & 1;
    });
  }
  if (!books.empty()) {
    uint64_t raw = 0;
    for (const auto& [unused, text] : books) raw += text.size();
    add("charset and decoding, GB18030 books", raw, 200, [&] {
      for (const auto& [unused, text] : books)
        if (const auto decoded = decode_text(text)) sink += decoded->text.size();
    });
  }
  // What was computed must have been wanted.
  if (sink == 0 && !laws.empty()) return internal_error("speed: nothing was computed");
  return {};
}

}  // namespace plinth::corpus
