#include "tensor/tensor.h"

#include <sys/mman.h>

#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/huge_pages.h"
#include "core/rng.h"
#include "tensor/half.h"

namespace plinth::tensor {
namespace {

TEST(DType, RowsHaveTheBytesOfTheirFormat) {
  EXPECT_EQ(row_bytes(DType::kF32, 3), 12u);
  EXPECT_EQ(row_bytes(DType::kF16, 3), 6u);
  EXPECT_EQ(row_bytes(DType::kBF16, 3), 6u);
  EXPECT_EQ(row_bytes(DType::kQ8_0, 64), 68u);
  EXPECT_EQ(row_bytes(DType::kQ8_0, 0), 0u);
  EXPECT_EQ(dtype_name(DType::kQ8_0), "Q8_0");
}

TEST(Half, EveryF16ComesBackFromF32) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = f16_to_f32(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(value))));
    } else {
      ASSERT_EQ(f32_to_f16(value), half) << value;
    }
  }
}

TEST(Half, EveryBF16ComesBackFromF32) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = bf16_to_f32(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(value))));
    } else {
      ASSERT_EQ(f32_to_bf16(value), half) << value;
    }
  }
}

TEST(Half, RoundsToNearestEven) {
  EXPECT_EQ(f16_to_f32(f32_to_f16(1.0f + 0x1p-11f)), 1.0f);            // tie, down to even
  EXPECT_EQ(f16_to_f32(f32_to_f16(1.0f + 0x3p-11f)), 1.0f + 0x1p-9f);  // tie, up to even
  EXPECT_EQ(f16_to_f32(f32_to_f16(65519.0f)), 65504.0f);
  EXPECT_TRUE(std::isinf(f16_to_f32(f32_to_f16(65520.0f))));
  EXPECT_EQ(f16_to_f32(f32_to_f16(0x1p-24f)), 0x1p-24f);  // the smallest subnormal
  EXPECT_EQ(f16_to_f32(f32_to_f16(0x1p-25f)), 0.0f);      // tie, down to even
  EXPECT_EQ(bf16_to_f32(f32_to_bf16(1.0f + 0x1p-8f)), 1.0f);
  EXPECT_EQ(bf16_to_f32(f32_to_bf16(1.0f + 0x3p-8f)), 1.0f + 0x1p-6f);
}

TEST(Quantise, Q8StaysWithinHalfAStepOfTheBlockMaximum) {
  Rng rng(3);
  std::vector<float> x(32 * 20);
  for (float& value : x) value = static_cast<float>(rng.normal());
  std::vector<uint8_t> bytes(row_bytes(DType::kQ8_0, 640));
  std::vector<float> back(640);
  from_f32(x.data(), 640, DType::kQ8_0, bytes.data());
  to_f32(bytes.data(), DType::kQ8_0, 640, back.data());
  for (size_t block = 0; block < 20; ++block) {
    float peak = 0;
    for (size_t i = 0; i < 32; ++i) peak = std::max(peak, std::abs(x[block * 32 + i]));
    // Half a step of rounding, and the scale's own rounding to F16 (2^-11 of up to 127 steps).
    const float bound = peak / 127 * (0.5f + 127 * 0x1p-11f) * 1.01f;
    for (size_t i = 0; i < 32; ++i)
      EXPECT_NEAR(back[block * 32 + i], x[block * 32 + i], bound) << block << " " << i;
  }
}

TEST(Quantise, Q8TakesZerosTinyAndBrokenValues) {
  std::vector<float> x(96, 0.0f);
  x[32] = 1e-42f;                                   // its scale is zero in F16
  x[64] = std::numeric_limits<float>::quiet_NaN();  // must not be undefined behaviour
  x[65] = std::numeric_limits<float>::infinity();
  std::vector<uint8_t> bytes(row_bytes(DType::kQ8_0, 96));
  std::vector<float> back(96);
  from_f32(x.data(), 96, DType::kQ8_0, bytes.data());
  to_f32(bytes.data(), DType::kQ8_0, 96, back.data());
  for (size_t i = 0; i < 64; ++i) EXPECT_EQ(back[i], 0.0f);
}

TEST(Buffer, KeepsItsMemoryWhenItShrinksAndGrowsBack) {
  Buffer buffer(1000);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % 64, 0u);
  buffer.fill(2.0f);
  const float* before = buffer.data();
  buffer.resize(10);
  EXPECT_EQ(buffer.size(), 10);
  buffer.resize(1000);
  EXPECT_EQ(buffer.data(), before);
  EXPECT_EQ(buffer.data()[999], 2.0f);
}

// What the system notes about the mapping of an address: "rd wr mr mw me ac hg".
std::string mapping_flags(const void* address) {
  const auto at = reinterpret_cast<uintptr_t>(address);
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " ", &begin, &end) == 2)
      inside = begin <= at && at < end;
    if (inside && line.starts_with("VmFlags:")) return line;
  }
  return "";
}

TEST(Buffer, AsksForHugePages) {
  if (!std::filesystem::exists("/sys/kernel/mm/transparent_hugepage"))
    GTEST_SKIP() << "no huge pages here";
  constexpr size_t kProbe = size_t{4} << 20;
  void* const probe =
      mmap(nullptr, kProbe, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(probe, MAP_FAILED);
  madvise(probe, kProbe, MADV_HUGEPAGE);
  const bool told = mapping_flags(static_cast<float*>(probe)).find(" hg") != std::string::npos;
  munmap(probe, kProbe);
  if (!told) GTEST_SKIP() << "the system does not say what was asked of it, as under an emulator";
  constexpr int64_t kFloats = int64_t{16} << 20;  // a mapping of its own, whatever malloc keeps
  Buffer buffer(kFloats);
  const float* const middle = buffer.data() + kFloats / 2;
  EXPECT_NE(mapping_flags(middle).find(" hg"), std::string::npos);
  prefer_small_pages(std::as_writable_bytes(buffer.span()));
  EXPECT_EQ(mapping_flags(middle).find(" hg"), std::string::npos);
}

TEST(Buffer, MovesAndIsSeenAsAMatrix) {
  Buffer buffer;
  EXPECT_EQ(buffer.size(), 0);
  const Matrix m = buffer.as(3, 5);
  EXPECT_EQ(m.rows, 3);
  EXPECT_EQ(m.stride, 5);
  m.row(2)[4] = 7.0f;
  Buffer moved = std::move(buffer);
  EXPECT_EQ(std::as_const(moved).as(3, 5).row(2)[4], 7.0f);
  EXPECT_EQ(m.slice(1, 2).row(1), m.row(2));
}

}  // namespace
}  // namespace plinth::tensor
