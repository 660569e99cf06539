#include "corpus/json_line.h"

#include <gtest/gtest.h>

#include "core/json.h"
#include "core/rng.h"
#include "corpus/document_json.h"
#include "corpus/stage/facts.h"

namespace plinth::corpus {
namespace {

// Bytes of every kind: controls, quotes, Han, a surrogate, half a character.
std::string any_text(Rng& rng) {
  constexpr std::string_view kParts[] = {"a",        "\"",         "\\",           "/",
                                         "\n",       "\x01",       "\x1f",         "\x7f",
                                         "电",       "\U0001F600", "\xE2\x80\xA8", "\xED\xA0\x80",
                                         "\xE7\x94", "\xFF",       "\xC0\x80"};
  std::string out;
  const bool valid = rng.below(2) == 0;
  for (uint64_t n = rng.below(12); n > 0; --n)
    out += kParts[rng.below(valid ? 11 : std::size(kParts))];
  if (rng.below(9) == 0) out += '\0';
  return out;
}

TEST(JsonLine, TextIsWhatTheLibraryWrites) {
  Rng rng(11);
  for (int i = 0; i < 20'000; ++i) {
    const std::string value = any_text(rng);
    std::string out;
    JsonLine(out).text(value);
    EXPECT_EQ(out, to_text(Json(value)));
  }
  for (int c = 0; c < 256; ++c) {
    const std::string value(2, static_cast<char>(c));
    std::string out;
    JsonLine(out).text(value);
    EXPECT_EQ(out, to_text(Json(value))) << c;
  }
}

// A tree's members are in the order of their names: so must the line's be.
TEST(JsonLine, DocumentsAndFactsAreCanonical) {
  Rng rng(12);
  for (int i = 0; i < 2000; ++i) {
    const auto maybe = [&] { return rng.below(2) == 0; };
    Document document;
    document.id = fmt::format("{:016x}", rng.next());
    document.text = any_text(rng);
    document.title = any_text(rng);
    document.lang = "zh";
    document.quality = static_cast<double>(rng.below(1001)) / 1000;
    if (maybe()) document.quality_model = static_cast<double>(rng.below(1001)) / 1000;
    if (maybe()) document.doubts = {any_text(rng), "b"};
    if (!document.doubts.empty()) document.doubt = 0.125;
    if (maybe()) document.rules = {"charset:gb18030", any_text(rng)};
    Source& source = document.source;
    source.path = any_text(rng);
    source.sha256 = "ab";
    if (maybe()) source.url = any_text(rng);
    if (maybe()) source.licence = "CC BY 4.0";
    source.begin = rng.below(100);
    source.end = rng.below(UINT64_MAX >> 1);
    if (maybe()) source.pages = {{1, 0}, {2, 700}};
    std::string line;
    append_line(document, line);
    const auto json = parse_json(line, "line");
    ASSERT_TRUE(json) << json.error().message << "\n" << line;
    EXPECT_EQ(to_text(*json), line);
    const auto back = document_from_json(*json);
    ASSERT_TRUE(back);
    std::string again;
    append_line(*back, again);
    EXPECT_EQ(again, line);

    DocumentFacts facts;
    facts.id = document.id;
    facts.path = source.path;
    facts.lang = "zh";
    facts.chars_in = static_cast<int64_t>(rng.below(9));
    facts.chars_out = static_cast<int64_t>(rng.below(9));
    facts.html = maybe();
    facts.repaired = maybe();
    facts.normalised = maybe();
    facts.blocks_removed = static_cast<int64_t>(rng.below(2));
    facts.exam_lines = static_cast<int64_t>(rng.below(2));
    if (maybe()) facts.exam_samples = {any_text(rng)};
    if (maybe()) facts.pii = {{"email", {1, 2, 3, 0}}, {"phone", {4, 5, 6, 0}}};
    if (maybe()) facts.risks = {"a1", "a2"};
    if (maybe()) facts.effects = {{"mojibake", 7, any_text(rng), any_text(rng)}, {"x", 0, "", ""}};
    if (maybe()) facts.stage = "length";
    if (maybe()) facts.reason = any_text(rng);
    facts.licence = source.licence;
    std::string text;
    append_text(facts, text);
    const auto tree = parse_json(text, "facts");
    ASSERT_TRUE(tree) << tree.error().message << "\n" << text;
    EXPECT_EQ(to_text(*tree), text);
    std::string twice;
    append_text(document_facts(*tree), twice);
    EXPECT_EQ(twice, text);
  }
}

}  // namespace
}  // namespace plinth::corpus
