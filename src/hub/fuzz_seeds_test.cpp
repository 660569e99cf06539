// Runs the seeds of the fuzz targets in ordinary builds.
#define LLVMFuzzerTestOneInput listing_fuzz
#include "hub/listing_fuzz.cpp"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput reference_fuzz
#include "hub/reference_fuzz.cpp"
#undef LLVMFuzzerTestOneInput

#include <filesystem>

#include <gtest/gtest.h>

#include "core/file.h"

namespace plinth::hub {
namespace {

void run_seeds(const char* name, int (*target)(const uint8_t*, size_t)) {
  const Path folder = Path(PLINTH_SOURCE_DIR) / "fuzz/corpus" / name;
  int seeds = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto bytes = read_file(entry.path());
    ASSERT_TRUE(bytes);
    // Each seed whole, cut short anywhere, and with one byte changed.
    for (size_t size = 0; size <= bytes->size(); ++size)
      EXPECT_EQ(target(reinterpret_cast<const uint8_t*>(bytes->data()), size), 0);
    for (size_t at = 0; at < bytes->size(); ++at) {
      std::string changed = *bytes;
      changed[at] = static_cast<char>(changed[at] ^ 0x15);
      EXPECT_EQ(target(reinterpret_cast<const uint8_t*>(changed.data()), changed.size()), 0);
    }
    ++seeds;
  }
  EXPECT_GE(seeds, 2);
}

TEST(FuzzSeeds, HubListing) {
  run_seeds("hub_listing", &listing_fuzz);
}

TEST(FuzzSeeds, HubReference) {
  run_seeds("hub_reference", &reference_fuzz);
}

}  // namespace
}  // namespace plinth::hub
