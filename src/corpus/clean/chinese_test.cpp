#include "corpus/clean/chinese.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/json.h"
#include "corpus/corpus.h"
#include "corpus/utf8.h"
#include "text/shared_data_test.h"
#include <opencc/SimpleConverter.hpp>

namespace plinth::corpus {
namespace {

using testing::HasSubstr;

std::string converted(const std::string& name, std::string_view text) {
  return ChineseConverter::open(name)->convert(text).text;
}

TEST(Chinese, PhrasesDecideWhatCharactersCannot) {
  EXPECT_EQ(converted("t2s", "乾坤乾燥，後來的皇后；電梯\n"), "乾坤干燥，后来的皇后；电梯\n");
  EXPECT_EQ(converted("s2t", "头发发现，皇后后来"), "頭髮發現，皇后後來");
  EXPECT_EQ(converted("tw2sp", "軟體與記憶體"), "软件与内存");
}

TEST(Chinese, WhatNeedsNoChangeIsLeftAlone) {
  const auto t2s = ChineseConverter::open("t2s");
  for (const char* text : {"", "\n", "简体文字，plain ASCII。", "𠀀𪛖"}) {
    const auto made = t2s->convert(text);
    EXPECT_EQ(made.text, text);
    EXPECT_EQ(made.replaced, 0);
  }
  EXPECT_EQ(ChineseConverter().convert("後").text, "後");
  EXPECT_FALSE(ChineseConverter::open("t2x"));
}

// The library that the `opencc` command is made of, a line at a time as that works.
TEST(Chinese, GivesWhatOpenCCGives) {
  const std::string poems = text::shared_text("pretrain/poems_and_classics.jsonl.zst");
  PLINTH_SKIP_WITHOUT(poems, "poems_and_classics");
  std::vector<std::string> lines;
  size_t row = 0;
  each_line(poems, [&](std::string_view line) {
    if (++row % 100 == 0) lines.emplace_back(prefix_chars(line, 600));
  });
  ASSERT_GT(lines.size(), 100u);
  for (const std::string_view name : chinese_conversions()) {
    const opencc::SimpleConverter theirs((std::string(name)));
    const auto ours = ChineseConverter::open(std::string(name));
    ASSERT_TRUE(ours) << name;
    // And of the other script: what this made of them, back.
    const auto back = ChineseConverter::open(name.starts_with("s") ? "t2s" : "s2t");
    for (const std::string& line : lines) {
      ASSERT_EQ(ours->convert(line).text, theirs.Convert(line)) << name;
      const std::string other = back->convert(line).text;
      ASSERT_EQ(ours->convert(other).text, theirs.Convert(other)) << name;
    }
  }
}

class ChineseRefine : public testing::Test {
 protected:
  Result<RefineReport> run(const std::string& recipe) {
    EXPECT_TRUE(make_directories(temp_.path() / "in"));
    EXPECT_TRUE(write_file_atomic(temp_.path() / "in/a.txt", kTraditional));
    EXPECT_TRUE(write_file_atomic(temp_.path() / "in/b.txt", kSimplified));
    EXPECT_TRUE(write_file_atomic(temp_.path() / "r.toml", recipe));
    RefineOptions options;
    options.inputs = {temp_.path() / "in"};
    options.out = temp_.path() / "out";
    PLINTH_TRY(options.recipe, read_recipe(temp_.path() / "r.toml"));
    return refine(options);
  }

  static constexpr std::string_view kTraditional =
      "電梯維護保養的記錄\n  \n維護保養單位應當在接到報警後三十分鐘內到達現場。\n"
      "聯繫電話13800138000，請勿外傳，後來補記。\n";
  static constexpr std::string_view kSimplified =
      "使用单位应当配合检查，不得拒绝提供技术资料，违者承担相应的责任。\n";

  TempDirectory temp_ = *TempDirectory::create();
};

TEST_F(ChineseRefine, TextAndTitleAreConvertedAndTracedBack) {
  ASSERT_TRUE(run("[refine]\nopencc = \"t2s\"\n"));
  const auto documents = read_documents(temp_.path() / "out");
  ASSERT_TRUE(documents);
  ASSERT_EQ(documents->size(), 2u);
  const Document& first = (*documents)[0];
  EXPECT_THAT(first.text, HasSubstr("接到报警后三十分钟内到达现场"));
  EXPECT_EQ(first.title, "电梯维护保养的记录");
  EXPECT_THAT(first.rules, testing::Contains(testing::StartsWith("opencc:t2s:")));
  EXPECT_EQ((*documents)[1].text, kSimplified);
  EXPECT_TRUE((*documents)[1].rules.empty());
  const size_t at = first.text.find("后来补记");
  ASSERT_NE(at, first.text.npos);
  const auto traced = trace_byte(temp_.path() / "out", first.id, at, {temp_.path() / "in"});
  ASSERT_TRUE(traced) << traced.error().message;
  const auto json = parse_json(*traced, "trace");
  ASSERT_TRUE((*json)["input"]["exact"].get<bool>()) << *traced;
  const auto begin = (*json)["input"]["range"][0].get<size_t>();
  EXPECT_EQ(begin, kTraditional.find("聯繫"));
  const auto manifest = read_file(temp_.path() / "out/manifest.json");
  ASSERT_TRUE(manifest);
  EXPECT_THAT(*manifest, HasSubstr(ChineseConverter::open("t2s")->sha256()));
  EXPECT_THAT(*manifest, HasSubstr("\"opencc\":\"t2s\""));
}

TEST_F(ChineseRefine, AnUnknownConfigurationIsAnErrorOfTheRecipesLine) {
  const auto report = run("[refine]\nchars_min = 10\nopencc = \"t2x\"\n");
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message, HasSubstr("r.toml:3: refine.opencc = \"t2x\" is none of"));
  EXPECT_THAT(report.error().message, HasSubstr("tw2sp"));
}

}  // namespace
}  // namespace plinth::corpus
