#include "corpus/measure/measure.h"

#include <gtest/gtest.h>

#include "corpus/measure/text_f1.h"

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
