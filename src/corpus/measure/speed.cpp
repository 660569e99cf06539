// How fast the text path and its stages are over national laws in Markdown: on one thread, and the
// whole path on all threads of the pool.
#include <atomic>
#include <set>
#include <tuple>

#include "core/rng.h"
#include "core/threads.h"
#include "corpus/clean/keywords.h"
#include "corpus/clean/quality_model.h"
#include "corpus/measure/measure.h"
#include "corpus/process.h"
#include "corpus/text_path.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

// n words of two to four characters, one in `nth` of them out of the texts.
Result<KeywordLibrary> library_from(const std::vector<std::string>& texts, size_t n, size_t nth) {
  Rng rng(1);
  std::set<std::string> words;
  while (words.size() < n) {
    const std::string& text = texts[rng.below(texts.size())];
    const size_t chars = 2 + rng.below(3);
    std::string word;
    size_t at = rng.below(text.size());
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
    const bool foreign = words.size() % nth != 0;
    for (size_t i = 0; i < chars && at < text.size(); ++i) {
      const char32_t c = next_char(text, at);
      if (!is_han(c)) break;
      text::append_utf8(static_cast<int32_t>(foreign ? 0x4E00 + rng.below(6000) : c), word);
    }
    if (count_chars(word) == chars) words.insert(word);
  }
  std::string toml = "[[class]]\nid = \"a\"\nname = \"a\"\nwords = [\n";
  for (const std::string& word : words) toml += "\"" + word + "\",\n";
  return KeywordLibrary::parse(toml + "]\n", "words");
}

// Its weights do not matter to its speed.
Result<QualityModel> any_quality_model() {
  std::vector<QualityExample> examples;
  for (int i = 0; i < 60; ++i)
    examples.push_back(
        {fmt::format("{}{}", i % 2 == 0 ? "应当依法保障安全" : "点击领取优惠", i), i % 2 == 0});
  PLINTH_TRY(auto trained, train_quality(examples, 1));
  return std::move(trained.model);
}

}  // namespace

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
  const auto add = [&](std::string name, uint64_t n, double target, auto&& work) {
    m.add({std::move(name), m.rate(n, work), "MB/s", target});
  };
  if (!laws.empty()) {
    add("text path, laws: decode to signatures", bytes, 25, [&] {
      for (const Leaf& leaf : leaves) sink += process_leaf(leaf, "", rules).outcomes.size();
    });
    if (const int threads = compute_pool().threads(); threads > 1) {
      std::atomic<uint64_t> outcomes = 0;
      add(fmt::format("text path, laws, {} threads", threads), bytes, 0, [&] {
        compute_pool().parallel_for(std::ssize(leaves), 1, [&](int64_t begin, int64_t end, int) {
          for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
            outcomes += process_leaf(leaves[i], "", rules).outcomes.size();
        });
      });
      sink += outcomes;
    }
    uint64_t clean_bytes = 0;
    for (const std::string& text : clean) clean_bytes += text.size();
    add("normalise", bytes, 0, [&] {
      for (const auto& [unused, text] : laws) sink += clean_text(text).text.size();
    });
    add("filters", clean_bytes, 200, [&] {
      for (const std::string& text : clean) sink += judge(text, measure(text)).drop ? 1 : 0;
    });
    for (const auto& [name, nth, target] :
         {std::tuple("keywords, 10,000 words, a tenth of them from the text", size_t{10}, 200.0),
          std::tuple("keywords, 10,000 words, half of them from the text", size_t{2}, 0.0)}) {
      PLINTH_TRY(const KeywordLibrary keywords, library_from(clean, 10'000, nth));
      add(name, clean_bytes, target, [&] {
        for (const std::string& text : clean) sink += keywords.find(text).size();
      });
    }
    // Of a long text it reads the beginning only: these are the bytes that it reads.
    std::vector<std::string_view> heads;
    uint64_t head_bytes = 0;
    for (const std::string& text : clean) {
      heads.push_back(prefix_chars(text, 4096));
      head_bytes += heads.back().size();
    }
    PLINTH_TRY(const QualityModel quality, any_quality_model());
    add("quality model", head_bytes, 100, [&] {
      for (const std::string_view text : heads) sink += quality.score(text) > 0.5 ? 1 : 0;
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
