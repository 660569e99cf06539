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

// The fields of block `block` of a chunk that belong to one row of the panel.
template <typename Field>
void gather_fields(const uint8_t* chunk, int64_t block, int fields, int64_t height, int64_t lane,
                   uint8_t* to) {
  const uint8_t* from = chunk + (block * fields * height + lane) * int64_t{sizeof(Field)};
  for (int i = 0; i < fields; ++i)
    std::memcpy(to + static_cast<size_t>(i) * sizeof(Field),
                from + i * height * int64_t{sizeof(Field)}, sizeof(Field));
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

void gather_blocks(const Weight& weight, int64_t r, int64_t first, int64_t n, uint8_t* to) {
  const BlockFields fields = block_fields(weight.type);
  const auto bytes = static_cast<int64_t>(traits(weight.type).bytes);
  const int64_t height = weight.panel;
  const int64_t in_chunk = kSuperBlock / traits(weight.type).block;
  const int64_t blocks = weight.cols / traits(weight.type).block;
  const uint8_t* panel =
      static_cast<const uint8_t*>(weight.data) +
      r / height * height * static_cast<int64_t>(row_bytes(weight.type, weight.cols));
  for (int64_t block = first; block < first + n; ++block, to += bytes) {
    const int64_t chunk = block / in_chunk * in_chunk;
    const uint8_t* halves = panel + chunk * bytes * height;
    const uint8_t* words = halves + std::min(in_chunk, blocks - chunk) * fields.halves * height * 2;
    gather_fields<uint16_t>(halves, block - chunk, fields.halves, height, r % height,
                            to + fields.halves_at);
    gather_fields<uint32_t>(words, block - chunk, fields.words, height, r % height,
                            to + fields.words_at);
  }
}

const uint8_t* Weight::row(int64_t r, std::vector<uint8_t>& scratch) const {
  const size_t stride = row_bytes(type, cols);
  if (panel == 0) return static_cast<const uint8_t*>(data) + static_cast<size_t>(r) * stride;
  scratch.resize(stride);
  gather_blocks(*this, r, 0, cols / traits(type).block, scratch.data());
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
