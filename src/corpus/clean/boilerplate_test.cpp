#include "corpus/clean/boilerplate.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace plinth::corpus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// Counts lines as the stage does, over texts of one source.
class Counts {
 public:
  explicit Counts(const std::vector<std::string>& texts) {
    for (const std::string& text : texts)
      for (const uint64_t key : edge_line_keys(text, "s")) ++counts_[key];
  }

  BoilerplateCut cut(const std::string& text, double share = 0.2) const {
    return cut_boilerplate(text, "s", share, [&](uint64_t key) {
      const auto it = counts_.find(key);
      return it == counts_.end() ? 0 : it->second;
    });
  }

 private:
  std::map<uint64_t, uint32_t> counts_;
};

std::vector<std::string> pages(int n, const std::string& head, const std::string& foot,
                               const std::string& inner = "") {
  std::vector<std::string> out;
  for (int i = 0; i < n; ++i)
    out.push_back(fmt::format("{}第{}号机房巡检情况\n{}今天检查了{}处，情况都写在这里。\n{}", head,
                              i, inner, i * 7, foot));
  return out;
}

std::vector<std::string> texts_of(const BoilerplateCut& cut) {
  std::vector<std::string> out;
  for (const RepeatedLine& line : cut.lines) out.push_back(line.text);
  return out;
}

TEST(Boilerplate, HeadersAndFootersGoAndAreCounted) {
  const auto all =
      pages(20, "首页 新闻 产品\n联系我们\n\n", "\n版权所有 晨光公司\n关于我们 隐私声明\n");
  const auto cut = Counts(all).cut(all[3]);
  EXPECT_EQ(cut.text, "第3号机房巡检情况\n今天检查了21处，情况都写在这里。\n");
  EXPECT_THAT(texts_of(cut),
              ElementsAre("首页 新闻 产品", "联系我们", "版权所有 晨光公司", "关于我们 隐私声明"));
  EXPECT_EQ(cut.of, 20u);
  EXPECT_EQ(cut.lines[0].documents, 20u);
  EXPECT_EQ(cut.chars, 8 + 4 + 9 + 9);
  // What is left, put together from the ranges, is the text.
  std::string rest;
  size_t from = 0;
  for (const auto& [begin, end] : cut.ranges) {
    rest += all[3].substr(from, begin - from);
    from = end;
  }
  rest += all[3].substr(from);
  EXPECT_EQ(rest.substr(0, cut.text.size()), cut.text);
}

TEST(Boilerplate, ANoticeBehindTheTitleGoesWhereMostPagesHaveIt) {
  const std::string notice = "本站使用 Cookie 以改善浏览体验，继续浏览即表示同意。\n";
  const auto all = pages(20, "", "", notice);
  EXPECT_THAT(Counts(all).cut(all[0]).text, Not(HasSubstr("Cookie")));
  auto some = pages(20, "", "");
  for (int i = 0; i < 8; ++i) some[static_cast<size_t>(i)] = all[static_cast<size_t>(i)];
  EXPECT_THAT(Counts(some).cut(some[0]).text, HasSubstr("Cookie"));  // in 40 %: not enough inside
}

TEST(Boilerplate, WhatLawsShareStays) {
  std::vector<std::string> laws;
  for (int i = 0; i < 30; ++i)
    laws.push_back(
        fmt::format("第一章 总则\n第一条 为了规范第{}类活动，制定本法。\n## 第二章 附则\n"
                    "第三十条 本法由国务院主管部门负责解释。\n本法自公布之日起施行。\n特此公告。\n",
                    i));
  for (const std::string& law : laws) EXPECT_EQ(Counts(laws).cut(law).text, law);
}

TEST(Boilerplate, CodeAndTablesStay) {
  std::vector<std::string> all;
  for (int i = 0; i < 30; ++i)
    all.push_back(
        fmt::format("| 列一 | 列二 |\n| 值 | {} |\n说明第{}项\n```\nreturn result;\n```\n", i, i));
  for (const std::string& text : all) EXPECT_EQ(Counts(all).cut(text).text, text);
}

TEST(Boilerplate, AHeadingIsTheDocumentsOwnUntilMostHaveIt) {
  auto all = pages(20, "# 晨光新闻网\n", "");
  EXPECT_THAT(Counts(all).cut(all[0]).text, Not(HasSubstr("晨光新闻网")));
  for (size_t i = 0; i < 12; ++i) all[i] = pages(20, "", "")[i];
  EXPECT_THAT(Counts(all).cut(all[15]).text, HasSubstr("晨光新闻网"));  // in 40 %
}

TEST(Boilerplate, LongTextsAreLookedAtAtTheirEndsOnly) {
  std::string body;
  for (int i = 0; i < 500; ++i) body += fmt::format("行 {} 的内容\n", i);
  std::vector<std::string> all;
  for (int i = 0; i < 20; ++i)
    all.push_back(fmt::format("站点导航\n编号{}的文章\n{}版权声明\n", i, body));
  const auto keys = edge_line_keys(all[0], "s");
  EXPECT_EQ(keys.size(), 1u + 128u);
  const auto cut = Counts(all).cut(all[5]);
  EXPECT_TRUE(cut.text.starts_with("编号5的文章\n"));
  // The body is the same in all of them: its last lines go, its middle never does.
  EXPECT_THAT(cut.text, HasSubstr("行 250 的内容\n"));
  EXPECT_THAT(cut.text, Not(HasSubstr("版权声明")));
}

TEST(Boilerplate, SourcesAreHostsThenFoldersThenContainers) {
  Source source;
  source.path = "a.txt";
  EXPECT_EQ(source_name(source), ".");
  source.path = "laws/x/a.txt";
  EXPECT_EQ(source_name(source), "laws");
  source.path = "rows.jsonl.gz!/rows.jsonl";
  EXPECT_EQ(source_name(source), "rows.jsonl.gz");
  source.url = "https://www.example.cn:80/a?b";
  EXPECT_EQ(source_name(source), "example.cn:80");
  EXPECT_NE(edge_line_keys("同一行文字\n", "a")[1], edge_line_keys("同一行文字\n", "b")[1]);
}

}  // namespace
}  // namespace plinth::corpus
