#include "engine/stop_strings.h"

#include <gtest/gtest.h>

#include "core/rng.h"

namespace plinth::engine {
namespace {

TEST(StopStrings, HoldsBackWhatCouldBegin) {
  StopStrings stops({"STOP"});
  EXPECT_EQ(stops.push("say ST").text, "say ");
  EXPECT_EQ(stops.push("A").text, "STA");
  EXPECT_EQ(stops.push("RS").text, "R");
  const auto end = stops.push("TOP more");
  EXPECT_TRUE(end.stopped);
  EXPECT_EQ(end.text, "");
}

TEST(StopStrings, TheFirstToBeginWins) {
  StopStrings stops({"cd", "bcde"});
  const auto end = stops.push("abcdef");
  EXPECT_TRUE(end.stopped);
  EXPECT_EQ(end.text, "a");
}

TEST(StopStrings, GivesTheTailWhenNothingCame) {
  StopStrings stops({"</s>", ""});
  EXPECT_EQ(stops.push("x</").text, "x");
  EXPECT_EQ(stops.finish(), "</");
}

TEST(StopStrings, SplitsNeverMatter) {
  Rng rng(3);
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (int i = 0; i < 20; ++i) text.push_back(static_cast<char>('a' + rng.below(2)));
    const std::vector<std::string> stops{"abba", "bbb"};
    const size_t first = std::min(text.find(stops[0]), text.find(stops[1]));
    StopStrings watch(stops);
    std::string shown;
    bool stopped = false;
    for (size_t at = 0; at < text.size() && !stopped;) {
      const size_t n = 1 + rng.below(4);
      auto output = watch.push(std::string_view(text).substr(at, n));
      shown += output.text;
      stopped = output.stopped;
      at += n;
    }
    if (!stopped) shown += watch.finish();
    EXPECT_EQ(stopped, first != std::string::npos) << text;
    // A piece that completes two stop strings at once shows the earlier one; a stop string that is
    // complete is never waited on, so the shown text ends at the first or before a longer, later
    // match.
    EXPECT_EQ(shown, text.substr(0, first)) << text;
  }
}

}  // namespace
}  // namespace plinth::engine
