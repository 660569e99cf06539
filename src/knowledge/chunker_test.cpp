#include "knowledge/chunker.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "knowledge/utf8.h"

namespace plinth::knowledge {
namespace {

// Characters [begin, end) of a text.
std::string span_of(std::string_view text, int64_t begin, int64_t end) {
  size_t at = 0;
  int64_t n = 0;
  size_t first = 0;
  for (; n < end; ++n) {
    if (n == begin) first = at;
    at += code_point(text, at).bytes;
  }
  return std::string(text.substr(first, at - first));
}

TEST(Chunker, CutsALawByArticlesAndKeepsTheOutline) {
  const std::string law =
      "第一编 总则\n第一章　基本规定\n第一条 为了保护民事主体的合法权益，制定本法。\n"
      "第二条　民法调整民事关系。\n第二章 自然人\n第三条之一 自然人从出生时起具有民事权利能力。\n"
      "第三条规定的情形除外。\n";
  const auto chunks = cut_into_chunks(law);
  ASSERT_EQ(chunks.size(), 3u);
  EXPECT_EQ(chunks[0].section, "第一编 总则 > 第一章　基本规定 > 第一条");
  EXPECT_EQ(chunks[1].section, "第一编 总则 > 第一章　基本规定 > 第二条");
  EXPECT_EQ(chunks[2].section, "第一编 总则 > 第二章 自然人 > 第三条之一");
  EXPECT_EQ(chunks[1].text, "第二条　民法调整民事关系。");
  // The sentence that starts like an article belongs to the article before it.
  EXPECT_NE(chunks[2].text.find("第三条规定的情形除外"), std::string::npos);
}

TEST(Chunker, KnowsMarkdownAndNumberedHeadings) {
  const auto chunks = cut_into_chunks(
      "# 手册\n\n前言。\n\n## 安装\n先关电源。\n\n3.2 抽样方案\n按批抽样。\n12 台设备已停。\n");
  ASSERT_EQ(chunks.size(), 3u);
  EXPECT_EQ(chunks[0].section, "手册");
  EXPECT_EQ(chunks[1].section, "手册 > 安装");
  EXPECT_EQ(chunks[2].section, "手册 > 3.2 抽样方案");
  EXPECT_NE(chunks[2].text.find("12 台设备已停。"), std::string::npos);
}

TEST(Chunker, SpansAreTheTextOfTheDocument) {
  std::string text = "# 甲\n  引言 here\n\n";
  for (int i = 0; i < 40; ++i) text += fmt::format("第{}个句子说明了一件事情，没有别的。", i);
  text += "\r\n尾声\n";
  const auto chunks = cut_into_chunks(text);
  ASSERT_GT(chunks.size(), 2u);
  for (const Chunk& chunk : chunks) {
    EXPECT_EQ(span_of(text, chunk.begin, chunk.end), chunk.text);
    EXPECT_LE(chunk.end - chunk.begin, kChunkMax + 2);
  }
  for (size_t i = 1; i < chunks.size(); ++i) EXPECT_GE(chunks[i].begin, chunks[i - 1].end);
}

TEST(Chunker, CutsLongParagraphsAfterSentences) {
  std::string paragraph;
  for (int i = 0; i < 50; ++i) paragraph += "本条规定适用于全部合同当事人。";
  for (const Chunk& chunk : cut_into_chunks(paragraph)) EXPECT_TRUE(chunk.text.ends_with("。"));
  const std::string endless(3000, 'x');
  for (const Chunk& chunk : cut_into_chunks(endless)) EXPECT_LE(chunk.end - chunk.begin, kChunkMax);
}

TEST(Chunker, SurvivesEmptyAndBrokenText) {
  EXPECT_TRUE(cut_into_chunks("").empty());
  EXPECT_TRUE(cut_into_chunks("\n \n　\n#\n").size() <= 1);
  EXPECT_EQ(cut_into_chunks("\xff\xfe\x80 abc").size(), 1u);
  EXPECT_EQ(cut_into_chunks("第").size(), 1u);
}

}  // namespace
}  // namespace plinth::knowledge
