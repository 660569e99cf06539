#include "text/unicode.h"

#include <string>

#include <gtest/gtest.h>

#include "core/rng.h"

namespace plinth::text {
namespace {

std::string random_text(Rng& rng) {
  std::string text;
  for (uint64_t n = rng.below(30); n > 0; --n) {
    switch (rng.below(4)) {
      case 0:
        text += static_cast<char>(rng.below(256));
        break;
      case 1:
        append_utf8(static_cast<int32_t>(rng.below(0xD800)), text);
        break;
      case 2:
        append_utf8(static_cast<int32_t>(0xE000 + rng.below(0x30000)), text);
        break;
      default:
        text += " \n\t\r"[rng.below(4)];
    }
  }
  return text;
}

TEST(Utf8, EveryScalarValueRoundTrips) {
  for (int32_t code = 0; code < 0x110000; ++code) {
    if (code >= 0xD800 && code < 0xE000) continue;
    std::string text;
    append_utf8(code, text);
    const Utf8Char c = utf8_at(text, 0);
    ASSERT_EQ(c.code, code);
    ASSERT_EQ(static_cast<size_t>(c.length), text.size());
  }
}

TEST(Utf8, RefusesIllFormedBytes) {
  for (const char* bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
        "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80", "\xE4\xBD", "\xFF"})
    EXPECT_FALSE(is_valid_utf8(bad)) << bad;
}

TEST(Utf8, ReplacesMaximalSubparts) {
  // The example of the Unicode standard, table 3-11.
  EXPECT_EQ(to_valid_utf8("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"),
            "\uFFFD\uFFFD\uFFFD\uFFFD"
            "A");
  EXPECT_EQ(to_valid_utf8("\xC0\xAF"), "\uFFFD\uFFFD");
  EXPECT_EQ(to_valid_utf8("你好"), "你好");
}

TEST(Utf8, RepairedTextIsValid) {
  Rng rng(4);
  for (int i = 0; i < 2000; ++i) EXPECT_TRUE(is_valid_utf8(to_valid_utf8(random_text(rng))));
}

TEST(Normalize, KeepsChinesePunctuationAndNumbers) {
  for (const char* kept : {"，。：；！？（）“”‘’《》、…—～", "①②³½㎡℃Ⅷ㈠№™", "第（一）条：甲方。",
                           "あいう", "👩‍👧"})
    EXPECT_EQ(normalize_text(kept), kept);
}

TEST(Normalize, BringsCompatibilityFormsHome) {
  EXPECT_EQ(normalize_text("ＡＢｃ１２３"), "ABc123");
  EXPECT_EQ(normalize_text("\uF9D1\u2F00\uFA19"), "六一神");
  EXPECT_EQ(normalize_text("ｶﾞｷﾞ"), "ガギ");
  EXPECT_EQ(normalize_text("ﬁle e\u0301"), "file é");
}

TEST(Normalize, FoldsSpacesAndRemovesControls) {
  EXPECT_EQ(
      normalize_text("\u3000\u3000段落  开头 \u00a0 x \r\n\tcode(  a )\r行\u0007\u200b尾  \n"),
      "段落 开头 x\n\tcode( a )\n行尾\n");
  EXPECT_EQ(normalize_text("\uFEFF标题\u202E"), "标题");
  EXPECT_EQ(normalize_text(std::string_view("a\0b\xFF", 4)), "ab\uFFFD");
  EXPECT_EQ(normalize_text(""), "");
}

TEST(Normalize, TwiceChangesNothing) {
  Rng rng(5);
  for (int i = 0; i < 3000; ++i) {
    const std::string once = normalize_text(random_text(rng));
    ASSERT_TRUE(is_valid_utf8(once));
    ASSERT_EQ(normalize_text(once), once);
  }
}

TEST(Normalize, NfcLeavesBrokenTextAlone) {
  EXPECT_EQ(to_nfc("e\u0301"), "é");
  EXPECT_EQ(to_nfc("e\u0301\xFF"), "e\u0301\xFF");
}

TEST(Counts, AddUp) {
  const CharacterCounts counts = count_characters("合同abc, 12。\n\xFF\uE000");
  EXPECT_EQ(counts.total, 13);
  EXPECT_EQ(counts.han, 2);
  EXPECT_EQ(counts.letters, 3);
  EXPECT_EQ(counts.digits, 2);
  EXPECT_EQ(counts.spaces, 2);
  EXPECT_EQ(counts.punctuation, 2);
  EXPECT_EQ(counts.broken, 2);
}

}  // namespace
}  // namespace plinth::text
