#include "server/multipart.h"

#include <gtest/gtest.h>

#include "core/rng.h"

namespace plinth::server {
namespace {

constexpr std::string_view kType = "multipart/form-data; boundary=\"x y\"";
const std::string kBody =
    "--x y\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n"
    "--x y\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\\\"b.jsonl\"\r\n"
    "Content-Type: text/plain\r\n\r\nline 1\r\nline 2\r\n--x y--\r\n";

TEST(Multipart, ReadsFieldsAndFiles) {
  const auto parts = parse_multipart(kType, kBody);
  ASSERT_TRUE(parts) << parts.error().message;
  ASSERT_EQ(parts->size(), 2u);
  EXPECT_EQ(parts->at(0).name, "purpose");
  EXPECT_EQ(parts->at(0).content, "batch");
  EXPECT_EQ(parts->at(0).filename, "");
  EXPECT_EQ(parts->at(1).filename, "a\"b.jsonl");
  EXPECT_EQ(parts->at(1).content, "line 1\r\nline 2");
}

TEST(Multipart, RefusesWhatIsBroken) {
  EXPECT_FALSE(parse_multipart("application/json", kBody));
  EXPECT_FALSE(parse_multipart("multipart/form-data", kBody));
  EXPECT_FALSE(parse_multipart(kType, ""));
  for (size_t n = 0; n + 4 < kBody.size(); ++n)
    EXPECT_FALSE(parse_multipart(kType, kBody.substr(0, n))) << n;
}

TEST(Multipart, AnyMutationIsRefusedOrRead) {
  Rng rng(1);
  for (int i = 0; i < 3000; ++i) {
    std::string body = kBody;
    for (int n = 0; n < 3; ++n) body[rng.below(body.size())] = static_cast<char>(rng.below(256));
    const auto parts = parse_multipart(kType, body);
    if (!parts) continue;
    for (const FormPart& part : *parts) EXPECT_LE(part.content.size(), body.size());
  }
}

}  // namespace
}  // namespace plinth::server
