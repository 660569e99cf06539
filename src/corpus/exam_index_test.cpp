#include "corpus/exam_index.h"

#include <gtest/gtest.h>

namespace plinth::corpus {
namespace {

ExamIndex index_of(std::string_view question) {
  ExamIndex index(13);
  index.add(question);
  return index;
}

TEST(ExamIndex, ThirteenSharedCharactersTouchTwelveDoNot) {
  const auto index = index_of("一二三四五六七八九十甲乙丙丁戊己庚辛");
  EXPECT_TRUE(index.touches("前文一二三四五六七八九十甲乙丙后文"));
  EXPECT_FALSE(index.touches("前文一二三四五六七八九十甲乙后文"));
}

TEST(ExamIndex, PunctuationSpaceAndCaseDoNotHide) {
  const auto index = index_of("云桅V3的制动间隙应当调到多少毫米？");
  EXPECT_TRUE(index.touches("云桅ｖ3 的，制动间隙\n应当调到：多少毫米"));
}

TEST(ExamIndex, CutsLinesNotDocuments) {
  const auto index = index_of("接到困人报警以后维保员最晚几分钟到场");
  const Cut cut = cut_exam_lines(
      "开头一行。\n考：接到困人报警以后，维保员最晚几分钟到场？\n结尾一行。\n", index);
  EXPECT_EQ(cut.text, "开头一行。\n结尾一行。\n");
  ASSERT_EQ(cut.lines.size(), 1u);
  EXPECT_GT(cut.share, 0.5);
}

TEST(ExamIndex, ARunAcrossALineBreakTakesBothLines) {
  const auto index = index_of("接到困人报警以后维保员最晚几分钟到场");
  EXPECT_EQ(cut_exam_lines("接到困人报警以后\n维保员最晚几分钟到场\n别的。\n", index).text,
            "别的。\n");
}

TEST(ExamIndex, NothingTouchesAfterTheCut) {
  // Taking out the middle line brings the two halves of a question together.
  auto index = index_of("一二三四五六七八九十甲乙丙丁");
  index.add("子丑寅卯辰巳午未申酉戌亥金木水火土");
  const Cut cut = cut_exam_lines(
      "一二三四五六七\n子丑寅卯辰巳午未申酉戌亥金木水火土\n八九十甲乙丙丁\n尾\n", index);
  EXPECT_FALSE(index.touches(cut.text));
  EXPECT_EQ(cut.text, "尾\n");
}

TEST(ExamIndex, ReadsAnswersOfEveryShape) {
  const auto dir = TempDirectory::create();
  ASSERT_TRUE(dir);
  const Path suite = dir->path() / "s.jsonl";
  ASSERT_TRUE(write_file_atomic(
      suite,
      "{\"question\":\"问甲\",\"choices\":[\"子丑寅卯辰巳午未申酉戌亥\",\"否\"],\"answer\":0}\n"
      "{\"question\":\"问乙\",\"choices\":[\"否\",\"一二三四五六七八九十天地\"],\"answer\":\"B\"}\n"
      "{\"question\":\"问丙\",\"answer\":\"春夏秋冬东西南北上下左右\"}\n"));
  const auto index = ExamIndex::read(std::vector<Path>{suite}, 13);
  ASSERT_TRUE(index) << index.error().message;
  EXPECT_EQ(index->questions(), 3u);
  for (const char* text : {"问甲子丑寅卯辰巳午未申酉戌亥", "问乙一二三四五六七八九十天地",
                           "问丙：春夏秋冬东西南北上下左右"})
    EXPECT_TRUE(index->touches(text)) << text;
}

TEST(ExamIndex, ABadSuiteRowIsAnError) {
  const auto dir = TempDirectory::create();
  ASSERT_TRUE(dir);
  const Path suite = dir->path() / "s.jsonl";
  ASSERT_TRUE(write_file_atomic(suite, "{\"question\":\"好\"}\n{\"ask\":\"坏\"}\n"));
  const auto index = ExamIndex::read(std::vector<Path>{suite}, 13);
  ASSERT_FALSE(index);
  EXPECT_NE(index.error().message.find("line 2"), std::string::npos);
}

}  // namespace
}  // namespace plinth::corpus
