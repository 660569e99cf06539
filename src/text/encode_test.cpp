#include <gtest/gtest.h>

#include "text/encoding.h"

namespace plinth::text {
namespace {

TEST(Encode, IsTheWayBackOfDecode) {
  const std::string text = "電梯 lift，一二三";
  for (const Charset charset :
       {Charset::kUtf8, Charset::kGb18030, Charset::kBig5, Charset::kUtf16Le, Charset::kUtf16Be}) {
    const auto bytes = encode_as(text, charset);
    ASSERT_TRUE(bytes) << charset_name(charset);
    EXPECT_EQ(decode_as(*bytes, charset).text, text);
  }
  EXPECT_FALSE(encode_as("电", Charset::kLatin1));
}

// The table of pairs against ICU, which a four-byte character at the end brings in for the whole.
TEST(Decode, PairsOfGb18030AreAsIcuReadsThem) {
  const std::string four = "\x81\x30\x84\x36";
  const std::string end = decode_as(four, Charset::kGb18030).text;
  for (int lead = 0x81; lead < 0xFF; ++lead) {
    std::string bytes;
    for (int trail = 0x40; trail < 0xFF; ++trail) {
      if (trail == 0x7F) continue;
      bytes += static_cast<char>(lead);
      bytes += static_cast<char>(trail);
    }
    const std::string pairs = decode_as("a" + bytes, Charset::kGb18030).text;
    EXPECT_EQ(pairs + end, decode_as("a" + bytes + four, Charset::kGb18030).text) << lead;
  }
  EXPECT_GT(decode_as("\xC4\xFF", Charset::kGb18030).bytes_replaced, 0);
  EXPECT_GT(decode_as("\xC4", Charset::kGb18030).bytes_replaced, 0);
}

}  // namespace
}  // namespace plinth::text
