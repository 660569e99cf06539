#include "corpus/outline.h"

#include <gtest/gtest.h>

#include "corpus/corpus.h"

namespace plinth::corpus {
namespace {

TEST(Outline, HeadingsOfPlainText) {
  EXPECT_EQ(heading_level("第一章　总则"), 2);
  EXPECT_EQ(heading_level("第三节 罚则"), 3);
  EXPECT_EQ(heading_level("一、制定目的"), 2);
  EXPECT_EQ(heading_level("3 主机与制动器"), 2);
  EXPECT_EQ(heading_level("3.2 制动器"), 3);
}

TEST(Outline, SentencesArticlesAndNumbersAreNoHeadings) {
  EXPECT_EQ(heading_level("第六条 报修由调度中心受理"), 0);
  EXPECT_EQ(heading_level("一、仓库由备件仓库主管统一管理。"), 0);
  EXPECT_EQ(heading_level("3.5毫米"), 0);
  EXPECT_EQ(heading_level("2025 年度计划"), 0);  // four digits are no section number
  EXPECT_EQ(heading_level("普通的一行文字"), 0);
}

TEST(Outline, ArticleNumbers) {
  EXPECT_EQ(article_of("第十六条 年检配合费的标准是每台460元。"), "第十六条");
  EXPECT_EQ(article_of("第十六条例外"), "");
  EXPECT_EQ(article_of("根据第六条"), "");
}

TEST(Sections, CutAtMarkdownHeadings) {
  const std::string text = "# 手册\n前言\n## 一\n甲\n### 一之一\n乙\n## 二\n丙\n";
  const auto list = sections(text);
  ASSERT_EQ(list.size(), 4u);
  EXPECT_EQ(list[2].heading, "一之一");
  EXPECT_EQ(list[2].path, (std::vector<std::string>{"手册", "一"}));
  EXPECT_EQ(text.substr(list[2].body, list[2].end - list[2].body), "乙\n");
  EXPECT_EQ(list[3].path, (std::vector<std::string>{"手册"}));
}

TEST(Sections, CoverTheWholeText) {
  for (const std::string text :
       {"# a\nx\n# b", "x\n# a\ny\n", "第一章 总则\n甲\n第二章 附则\n乙", "no headings", ""}) {
    const auto list = sections(text);
    ASSERT_FALSE(list.empty());
    EXPECT_EQ(list.front().begin, 0u);
    EXPECT_EQ(list.back().end, text.size());
    for (size_t i = 1; i < list.size(); ++i) EXPECT_EQ(list[i].begin, list[i - 1].end) << text;
  }
}

TEST(Sections, PageOfAPlace) {
  Source source;
  EXPECT_EQ(page_at(source, 5), 0);
  source.pages = {{1, 0}, {2, 100}};
  EXPECT_EQ(page_at(source, 99), 1);
  EXPECT_EQ(page_at(source, 100), 2);
}

}  // namespace
}  // namespace plinth::corpus
