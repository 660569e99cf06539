#include "tensor/quant/panels.h"

#include <algorithm>
#include <cstring>

#include "core/threads.h"

namespace plinth::tensor {
namespace {

// fields[i] of every row side by side. Rows at or past `rows` are zero.
template <typename Field>
uint8_t* interleave_fields(const uint8_t* from, int64_t stride, int rows, int fields, int height,
                           uint8_t* to) {
  for (int i = 0; i < fields; ++i, from += sizeof(Field), to += height * sizeof(Field)) {
    for (int r = 0; r < rows; ++r)
      std::memcpy(to + r * sizeof(Field), from + r * stride, sizeof(Field));
    std::memset(to + rows * sizeof(Field), 0, static_cast<size_t>(height - rows) * sizeof(Field));
  }
  return to;
}

}  // namespace

size_t interleaved_bytes(DType type, int64_t rows, int64_t cols, int height) {
  const int64_t panels = (rows + height - 1) / height;
  return static_cast<size_t>(panels * height) * row_bytes(type, cols);
}

void interleave_chunk(const uint8_t* from, int64_t stride, int rows, DType type, int64_t blocks,
                      int height, uint8_t* to) {
  const BlockFields fields = block_fields(type);
  const auto bytes = static_cast<int64_t>(traits(type).bytes);
  for (int64_t j = 0; j < blocks; ++j)
    to = interleave_fields<uint16_t>(from + j * bytes + fields.halves_at, stride, rows,
                                     fields.halves, height, to);
  for (int64_t j = 0; j < blocks; ++j)
    to = interleave_fields<uint32_t>(from + j * bytes + fields.words_at, stride, rows, fields.words,
                                     height, to);
}

const uint8_t* Weight::row(int64_t r, std::vector<uint8_t>& scratch) const {
  const auto stride = static_cast<int64_t>(row_bytes(type, cols));
  const auto* base = static_cast<const uint8_t*>(data);
  if (panel == 0) return base + r * stride;
  scratch.resize(static_cast<size_t>(stride));
  const BlockFields fields = block_fields(type);
  const auto bytes = static_cast<int64_t>(traits(type).bytes);
  const int64_t blocks = cols / traits(type).block;
  const int64_t in_chunk = kSuperBlock / traits(type).block;
  const uint8_t* from = base + r / panel * panel * stride;
  const int64_t lane = r % panel;
  uint8_t* to = scratch.data();
  for (int64_t first = 0; first < blocks; first += in_chunk) {
    const int64_t n = std::min(in_chunk, blocks - first);
    const auto gather = [&](int count, int at, int64_t size) {
      for (int64_t j = 0; j < n; ++j) {
        for (int i = 0; i < count; ++i, from += panel * size)
          std::memcpy(to + j * bytes + at + i * size, from + lane * size,
                      static_cast<size_t>(size));
      }
    };
    gather(fields.halves, fields.halves_at, 2);
    gather(fields.words, fields.words_at, 4);
    to += n * bytes;
  }
  return scratch.data();
}

Weight interleave(const Weight& weight, int height, std::byte* to) {
  PLINTH_CHECK(weight.panel == 0, "interleave a weight in panels of {}", weight.panel);
  const auto stride = static_cast<int64_t>(row_bytes(weight.type, weight.cols));
  const auto bytes = static_cast<int64_t>(traits(weight.type).bytes);
  const int64_t blocks = weight.cols / traits(weight.type).block;
  const int64_t in_chunk = kSuperBlock / traits(weight.type).block;
  const auto* from = static_cast<const uint8_t*>(weight.data);
  auto* panels = reinterpret_cast<uint8_t*>(to);
  const int64_t grain =
      std::max<int64_t>(1, (int64_t{256} << 10) / std::max<int64_t>(1, stride * height));
  compute_pool().parallel_for(
      (weight.rows + height - 1) / height, grain, [&](int64_t begin, int64_t end, int) {
        for (int64_t p = begin; p < end; ++p) {
          const int64_t row = p * height;
          const int rows = static_cast<int>(std::min<int64_t>(height, weight.rows - row));
          for (int64_t j = 0; j < blocks; j += in_chunk)
            interleave_chunk(from + row * stride + j * bytes, stride, rows, weight.type,
                             std::min(in_chunk, blocks - j), height,
                             panels + row * stride + j * bytes * height);
        }
      });
  return {panels, weight.type, weight.rows, weight.cols, height};
}

}  // namespace plinth::tensor
