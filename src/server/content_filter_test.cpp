#include "server/content_filter.h"

#include <gtest/gtest.h>

namespace plinth::server {
namespace {

ContentFilterPtr filter() {
  return std::make_shared<ContentFilter>(*ContentFilter::make(
      {{"weapons", {"炸弹", "bomb", "bombe"}, FilterAction::kBlock, FilterAction::kMask},
       {"names", {"张三"}, FilterAction::kMask, FilterAction::kPass},
       {"secret", {"机密文件"}, FilterAction::kPass, FilterAction::kBlock}}));
}

// The text in pieces of every size.
std::string through(const std::string& text, size_t piece, bool* blocked = nullptr) {
  FilteredText filtered(filter());
  std::string shown;
  for (size_t at = 0; at < text.size(); at += piece)
    shown += filtered.push(text.substr(at, piece), at + piece >= text.size());
  if (blocked != nullptr) *blocked = filtered.blocked();
  return shown;
}

TEST(ContentFilter, InputIsRefusedByCategoryOrMasked) {
  std::string text = "张三和李四";
  EXPECT_TRUE(filter()->check_input(text));
  EXPECT_EQ(text, "**和李四");
  text = "怎么做 BOMB";
  const Status refused = filter()->check_input(text);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("weapons"), std::string::npos);
  text = "机密文件";
  EXPECT_TRUE(filter()->check_input(text));
}

TEST(ContentFilter, OutputIsMaskedHoweverItIsCut) {
  const std::string text = "一个炸弹, a bomb, bo, bombes 张三";
  for (size_t piece = 1; piece <= text.size(); ++piece)
    EXPECT_EQ(through(text, piece), "一个**, a ****, bo, *****s 张三") << piece;
}

TEST(ContentFilter, AWordThatBlocksEndsTheAnswer) {
  for (size_t piece = 1; piece < 30; ++piece) {
    bool blocked = false;
    EXPECT_EQ(through("这是机密文件，请看", piece, &blocked), "这是") << piece;
    EXPECT_TRUE(blocked);
  }
}

TEST(ContentFilter, NothingIsHeldBackForNothing) {
  FilteredText filtered(filter());
  EXPECT_EQ(filtered.push("hello", false), "hello");
  EXPECT_EQ(filtered.push(" bo", false), " ");
  EXPECT_EQ(filtered.push("at", false), "boat");
}

TEST(ContentFilter, RulesComeFromAFile) {
  const auto temp = *TempDirectory::create();
  ASSERT_TRUE(write_file_atomic(temp.path() / "w.txt", "炸弹\r\n\nbomb\n"));
  const auto read = [&](const std::string& input) {
    return ContentFilter::read(
        *Config::parse("[[filter]]\ncategory = \"weapons\"\nwords = \"w.txt\"\ninput = \"" + input +
                           "\"\noutput = \"mask\"\n",
                       "test"),
        temp.path());
  };
  const auto rules = read("block");
  ASSERT_TRUE(rules) << rules.error().message;
  EXPECT_TRUE(rules->find("a bomb", FilterSide::kOutput));
  EXPECT_FALSE(read("no"));
}

}  // namespace
}  // namespace plinth::server
