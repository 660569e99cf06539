#include "corpus/measure/measure.h"

#include <map>

#include <gtest/gtest.h>

#include "corpus/measure/text_f1.h"
#include "corpus/unpack/archive_of_test.h"

namespace plinth::corpus {
namespace {

TEST(TextF1, CountsSharedGrams) {
  EXPECT_EQ(gram_overlap("一二三四五", "一二 三\n四五").f1, 1);
  EXPECT_EQ(gram_overlap("甲乙丙丁", "一二三四五").f1, 0);
  EXPECT_NEAR(gram_overlap("一二三四五六", "一二三四五").precision, 2.0 / 3, 1e-12);
  EXPECT_EQ(gram_overlap("", "").f1, 1);
  EXPECT_EQ(gram_overlap("", "一二三四").f1, 0);
  EXPECT_EQ(without_markdown("## 题\n- 项\n| 甲 | 乙 |\n| --- | --- |\n#\n"),
            " 题\n项\n甲 乙 \n\n");
}

TEST(TextF1, CountsSharedRunsOfWords) {
  EXPECT_EQ(word_gram_overlap("It's one two, three.", "It s one   two three").f1, 1);
  EXPECT_NEAR(word_gram_overlap("a b c d e f", "a b c d e").precision, 2.0 / 3, 1e-12);
  EXPECT_EQ(word_gram_overlap("a b c d e", "e d c b a").f1, 0);
  EXPECT_EQ(word_gram_overlap("two words", "two words").f1, 1) << "fewer than four are one run";
  EXPECT_EQ(word_gram_overlap("", "").f1, 1);
}

// The layout of an article set: truth, pages, and what other extractors found.
TEST(Measure, ScoresAnArticleSetAndOtherExtractorsOfIt) {
  const auto dir = TempDirectory::create();
  ASSERT_TRUE(dir);
  const std::string body =
      "The council met on Tuesday to discuss the lifts of the town hall, which are forty years "
      "old, slow, and out of order every second week of the year.";
  const std::string page =
      "<html><title>Lifts</title><body><nav><a href=x>Home</a></nav><article>"
      "<h1>Lifts</h1><p>" +
      body + "</p></article></body></html>";
  ASSERT_TRUE(make_directories(dir->path() / "html"));
  ASSERT_TRUE(make_directories(dir->path() / "output"));
  ASSERT_TRUE(write_file_atomic(dir->path() / "html/1a.html.gz",
                                archive_of({{"1a.html", page}}, Packing::kGzip)));
  ASSERT_TRUE(write_file_atomic(dir->path() / "ground-truth.json",
                                to_text({{"1a", {{"articleBody", body}}}})));
  ASSERT_TRUE(write_file_atomic(
      dir->path() / "output/other.json",
      to_text(
          {{"version", "7"}, {"output", {{"1a", {{"articleBody", "something else here now"}}}}}})));
  const auto figures = measure_articles(dir->path(), 1);
  ASSERT_TRUE(figures) << figures.error().message;
  std::map<std::string, double> by_name;
  for (const Figure& row : figures->rows) by_name[row.name] = row.value;
  EXPECT_EQ(by_name.at("articles (1 pages), F1 of runs of 4 words"), 1) << "without its headline";
  EXPECT_EQ(by_name.at("other 7: articles (1 pages), F1 of runs of 4 words"), 0);
  EXPECT_EQ(by_name.count("articles (0 pages), F1 of runs of 4 words"), 0u);
  EXPECT_FALSE(measure_articles(dir->path() / "html", 1)) << "no ground-truth.json there";
}

TEST(Measure, PersonalDataNeedsNoDataFolder) {
  Measurement m("/nowhere", 1);
  ASSERT_TRUE(measure_personal_data(m));
  ASSERT_EQ(m.out.rows.size(), 1u);
  EXPECT_TRUE(m.out.rows[0].met()) << m.out.rows[0].name << " " << m.out.rows[0].value;
}

TEST(Measure, MissingFilesAreNamed) {
  const auto figures = measure_refinery("/nowhere", 1);
  ASSERT_TRUE(figures);
  EXPECT_FALSE(figures->missing.empty());
  EXPECT_EQ(figures->rows.size(), 1u);  // personal data
}

}  // namespace
}  // namespace plinth::corpus
