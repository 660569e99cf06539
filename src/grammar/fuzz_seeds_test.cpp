// Runs the seeds of the fuzz target in ordinary builds.
#define LLVMFuzzerTestOneInput grammar_fuzz
#include "grammar/grammar_fuzz.cpp"
#undef LLVMFuzzerTestOneInput

#include <filesystem>

#include <gtest/gtest.h>

#include "core/file.h"

namespace plinth::grammar {
namespace {

TEST(FuzzSeeds, Grammar) {
  int seeds = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(Path(PLINTH_SOURCE_DIR) / "fuzz/corpus/grammar")) {
    const auto bytes = read_file(entry.path());
    ASSERT_TRUE(bytes);
    const auto* data = reinterpret_cast<const uint8_t*>(bytes->data());
    // Each seed whole, cut short, and with one byte changed.
    for (size_t size = 0; size <= bytes->size(); size += 1 + bytes->size() / 8)
      EXPECT_EQ(grammar_fuzz(data, size), 0);
    EXPECT_EQ(grammar_fuzz(data, bytes->size()), 0);
    for (size_t at = 0; at < bytes->size(); at += 1 + bytes->size() / 32) {
      std::string changed = *bytes;
      changed[at] = static_cast<char>(changed[at] ^ 0x15);
      EXPECT_EQ(grammar_fuzz(reinterpret_cast<const uint8_t*>(changed.data()), changed.size()), 0);
    }
    ++seeds;
  }
  EXPECT_GE(seeds, 4);
}

}  // namespace
}  // namespace plinth::grammar
