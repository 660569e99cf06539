// Runs the seeds of the fuzz targets in ordinary builds.
#define LLVMFuzzerTestOneInput tokenizer_json_fuzz
#include "text/tokenizer_json_fuzz.cpp"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput sentencepiece_fuzz
#include "text/sentencepiece_fuzz.cpp"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput encoding_fuzz
#include "text/encoding_fuzz.cpp"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput jinja_fuzz
#include "text/jinja_fuzz.cpp"
#undef LLVMFuzzerTestOneInput

#include <filesystem>

#include <gtest/gtest.h>

#include "core/file.h"

namespace plinth::text {
namespace {

void run_seeds(const char* name, int (*target)(const uint8_t*, size_t)) {
  const Path folder = Path(PLINTH_SOURCE_DIR) / "fuzz/corpus" / name;
  int seeds = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto bytes = read_file(entry.path());
    ASSERT_TRUE(bytes);
    const auto* data = reinterpret_cast<const uint8_t*>(bytes->data());
    // Each seed whole, cut short, and with one byte changed.
    for (size_t size = 0; size <= bytes->size(); size += 1 + bytes->size() / 16)
      EXPECT_EQ(target(data, size), 0);
    EXPECT_EQ(target(data, bytes->size()), 0);
    for (size_t at = 0; at < bytes->size(); at += 1 + bytes->size() / 32) {
      std::string changed = *bytes;
      changed[at] = static_cast<char>(changed[at] ^ 0x15);
      EXPECT_EQ(target(reinterpret_cast<const uint8_t*>(changed.data()), changed.size()), 0);
    }
    ++seeds;
  }
  EXPECT_GE(seeds, 2);
}

TEST(FuzzSeeds, TokenizerJson) {
  run_seeds("tokenizer_json", &tokenizer_json_fuzz);
}

TEST(FuzzSeeds, SentencePiece) {
  run_seeds("sentencepiece", &sentencepiece_fuzz);
}

TEST(FuzzSeeds, Encoding) {
  run_seeds("encoding", &encoding_fuzz);
}

TEST(FuzzSeeds, Jinja) {
  run_seeds("jinja", &jinja_fuzz);
}

}  // namespace
}  // namespace plinth::text
