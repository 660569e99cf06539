#include "server/held_choice.h"

#include <gtest/gtest.h>

namespace plinth::server {
namespace {

engine::Event word(const std::string& text, bool finished = false) {
  return {.id = finished ? -1 : 7, .text = text, .top = {{7, 0.f}}, .finished = finished};
}

std::string text_of(const std::vector<engine::Event>& events) {
  std::string text;
  for (const engine::Event& event : events) text += event.text;
  return text;
}

TEST(HeldChoice, APieceIsAskedWhenItIsLongEnoughAndSeenWithWhatCameBefore) {
  HeldChoice held(true);
  const std::string half(HeldChoice::kPieceBytes / 2, 'a');
  held.push(word(half));
  EXPECT_FALSE(held.due());
  held.push(word(half));
  ASSERT_TRUE(held.due());
  EXPECT_EQ(held.ask(), half + half);
  held.push(word("b"));  // meanwhile
  EXPECT_FALSE(held.due()) << "one at a time";
  EXPECT_EQ(text_of(held.release()), half + half);
  EXPECT_FALSE(held.due());
  held.push(word("", true));
  ASSERT_TRUE(held.due());
  EXPECT_EQ(held.ask(), half + half + "b");
  const auto rest = held.release();
  ASSERT_EQ(rest.size(), 2u);
  EXPECT_TRUE(rest[1].finished);
  EXPECT_TRUE(held.release().empty());
}

TEST(HeldChoice, AWholeAnswerIsAskedOnceAtItsEnd) {
  HeldChoice held(false);
  for (int i = 0; i < 3; ++i) held.push(word(std::string(HeldChoice::kPieceBytes, 'a')));
  EXPECT_FALSE(held.due());
  held.push(word("z", true));
  ASSERT_TRUE(held.due());
  EXPECT_EQ(held.ask().size(), 3 * HeldChoice::kPieceBytes + 1);
}

TEST(HeldChoice, WhatCameBeforeBeginsWithAWholeCharacter) {
  HeldChoice held(true);
  std::string text;
  while (text.size() < 2 * HeldChoice::kBeforeBytes) text += "法";
  held.push(word(text));
  held.ask();
  held.release();
  held.push(word("x", true));
  const std::string asked = held.ask();
  EXPECT_EQ(asked.substr(0, 3), "法");
  EXPECT_LE(asked.size(), HeldChoice::kBeforeBytes + 1);
  EXPECT_GT(asked.size(), HeldChoice::kBeforeBytes - 3);
}

TEST(HeldChoice, NothingIsAskedOfEventsWithoutText) {
  HeldChoice held(true);
  held.push(word("", true));
  EXPECT_TRUE(held.clear());
  EXPECT_FALSE(held.due());
  EXPECT_EQ(held.release().size(), 1u);
}

TEST(HeldChoice, NothingOfABlockedChoiceIsSeen) {
  HeldChoice held(true);
  held.push(word(std::string(HeldChoice::kPieceBytes, 'a')));
  held.ask();
  held.push(word("b"));
  held.block();
  held.push(word("c", true));
  EXPECT_FALSE(held.due());
  auto out = held.release();
  for (engine::Event& event : held.release()) out.push_back(std::move(event));
  ASSERT_EQ(out.size(), 3u);
  for (const engine::Event& event : out) {
    EXPECT_EQ(event.text, "");
    EXPECT_EQ(event.id, -1);
    EXPECT_TRUE(event.top.empty());
  }
  EXPECT_TRUE(out[2].finished) << "its usage is still wanted";
}

}  // namespace
}  // namespace plinth::server
