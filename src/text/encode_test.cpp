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

}  // namespace
}  // namespace plinth::text
