#include "corpus/clean/personal_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace plinth::corpus {
namespace {

// "kind:value" of each hit; near misses begin with '~'.
std::vector<std::string> hits(std::string_view text) {
  std::vector<std::string> out;
  for (const PiiHit& hit : find_personal_data(text))
    out.push_back(fmt::format("{}{}:{}", hit.near_miss ? "~" : "", hit.kind,
                              text.substr(hit.begin, hit.end - hit.begin)));
  return out;
}

using testing::ElementsAre;
using testing::IsEmpty;

TEST(PersonalData, FindsEachKindInRunningText) {
  EXPECT_THAT(hits("身份证号11010519491231002X，手机13800138000。"),
              ElementsAre("id_card:11010519491231002X", "phone:13800138000"));
  EXPECT_THAT(hits("卡号6222 0200 0000 0010 371；座机0571-88001234"),
              ElementsAre("bank_card:6222 0200 0000 0010 371", "landline:0571-88001234"));
  EXPECT_THAT(hits("信用代码91350100M000100Y43，邮箱a.b@mail.example.cn。"),
              ElementsAre("uscc:91350100M000100Y43", "email:a.b@mail.example.cn"));
  EXPECT_THAT(hits("来自203.0.113.9的访问"), ElementsAre("ipv4:203.0.113.9"));
}

TEST(PersonalData, AcceptsTheUsualWaysToWriteAMobile) {
  EXPECT_THAT(hits("138-0013-8000"), ElementsAre("phone:138-0013-8000"));
  EXPECT_THAT(hits("138 0013 8000"), ElementsAre("phone:138 0013 8000"));
  EXPECT_THAT(hits("+8613800138000"), ElementsAre("phone:13800138000"));
}

TEST(PersonalData, LandlinesWithTheAreaInBrackets) {
  EXPECT_THAT(hits("电话（0571）88001234。"), ElementsAre("landline:0571）88001234"));
  EXPECT_THAT(hits("(010) 62001234"), ElementsAre("landline:010) 62001234"));
  EXPECT_THAT(hits("（0571）8800123456"), IsEmpty());
  EXPECT_THAT(hits("（2024）88001234"), IsEmpty());
  EXPECT_EQ(mask_value("landline", "0571）88001234"), "0571）******34");
}

TEST(PersonalData, ShapeWithoutProofIsANearMiss) {
  EXPECT_THAT(hits("110105194912310021"), ElementsAre("~id_card:110105194912310021"));  // checksum
  EXPECT_THAT(hits("330203199002300005"),
              ElementsAre("~id_card:330203199002300005"));  // 30 February
  EXPECT_THAT(hits("6222020000000010372"), ElementsAre("~bank_card:6222020000000010372"));
  EXPECT_THAT(hits("12500003176"), ElementsAre("~phone:12500003176"));    // no such segment
  EXPECT_THAT(hits("138001380001"), ElementsAre("~phone:138001380001"));  // a digit too many
}

TEST(PersonalData, NumbersInsideLongerOnesAreLeftAlone) {
  EXPECT_THAT(hits("订单20250113800138000"), IsEmpty());
  EXPECT_THAT(hits("X13800138000"), IsEmpty());
  EXPECT_THAT(hits("金额13800138000.50元"), IsEmpty());
  EXPECT_THAT(hits("第〔2025〕138号，共13800元，型号HC-310"), IsEmpty());
  EXPECT_THAT(hits("2025年1月8日 08:30 0.35毫米 1.36米每秒"), IsEmpty());
}

TEST(PersonalData, PrivateAddressesAndVersionsNameNobody) {
  EXPECT_THAT(hits("192.168.1.1 10.0.0.1 127.0.0.1 1.2.3.4 1.2.3.4.5"), IsEmpty());
}

TEST(PersonalData, MaskKeepsTheForm) {
  EXPECT_EQ(mask_value("phone", "13800131234"), "138****1234");
  EXPECT_EQ(mask_value("phone", "138-0013-1234"), "138-****-1234");
  EXPECT_EQ(mask_value("id_card", "11010519491231002X"), "110105********002X");
  EXPECT_EQ(mask_value("email", "wang@example.com"), "w***@example.com");
  EXPECT_EQ(mask_value("ipv4", "203.0.113.9"), "203.0.*.*");
}

TEST(PersonalData, ActionsComeFromTheRecipe) {
  RefineRecipe recipe;
  recipe.pii["email"] = PiiAction::kKeep;
  recipe.pii["landline"] = PiiAction::kDrop;
  std::map<std::string, PiiCount> counts;
  EXPECT_EQ(mask_personal_data("电13800131234，邮a@b.cn，座机0571-88001234。", recipe, counts),
            "电138****1234，邮a@b.cn，座机。");
  EXPECT_EQ(counts["phone"].masked, 1);
  EXPECT_EQ(counts["email"].found, 1);
  EXPECT_EQ(counts["email"].masked, 0);
}

TEST(PersonalData, MaskedTextHasNothingLeftToFind) {
  std::map<std::string, PiiCount> counts;
  const std::string masked = mask_personal_data(
      "11010519491231002X 13800138000 6222020000000010371 0571-88001234", {}, counts);
  EXPECT_THAT(hits(masked), IsEmpty()) << masked;
}

}  // namespace
}  // namespace plinth::corpus
