#include "corpus/clean/id_numbers.h"

#include <gtest/gtest.h>

namespace plinth::corpus {
namespace {

TEST(IdNumbers, ResidentIdentityChecksum) {
  EXPECT_TRUE(has_id_checksum("11010519491231002X"));  // the example of GB 11643
  EXPECT_TRUE(has_id_checksum("11010519491231002x"));
  EXPECT_FALSE(has_id_checksum("110105194912310021"));
  EXPECT_FALSE(has_id_checksum("11010519491231002"));
}

TEST(IdNumbers, BirthDateMustBeADay) {
  EXPECT_TRUE(has_birth_date("110105200002290000"));
  EXPECT_FALSE(has_birth_date("110105190002290000"));  // 1900 was no leap year
  EXPECT_FALSE(has_birth_date("110105199902300000"));
  EXPECT_FALSE(has_birth_date("110105199913010000"));
  EXPECT_FALSE(has_birth_date("110105189912310000"));
}

TEST(IdNumbers, RegionMustBeAProvince) {
  EXPECT_TRUE(has_region_prefix("440306"));
  EXPECT_FALSE(has_region_prefix("990306"));
  EXPECT_FALSE(has_region_prefix("160306"));
}

TEST(IdNumbers, Luhn) {
  EXPECT_TRUE(has_luhn_checksum("6222020000000010371"));
  EXPECT_FALSE(has_luhn_checksum("6222020000000010372"));
  EXPECT_TRUE(has_luhn_checksum("4111111111111111"));
}

TEST(IdNumbers, OrganisationCode) {
  EXPECT_TRUE(is_uscc_shape("91350100M000100Y43"));  // the example of GB 32100
  EXPECT_TRUE(has_uscc_checksum("91350100M000100Y43"));
  EXPECT_FALSE(has_uscc_checksum("91350100M000100Y44"));
  EXPECT_FALSE(is_uscc_shape("91350100I000100Y43"));  // I is not in the alphabet
}

TEST(IdNumbers, MobileSegments) {
  EXPECT_TRUE(is_mobile_segment("13800138000"));
  EXPECT_TRUE(is_mobile_segment("19900000000"));
  EXPECT_FALSE(is_mobile_segment("12500003176"));
  EXPECT_FALSE(is_mobile_segment("15400003176"));
}

}  // namespace
}  // namespace plinth::corpus
