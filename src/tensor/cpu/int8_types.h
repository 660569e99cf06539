// What the integer products' parts hand each other, the same for every Highway target.
#pragma once

#include <algorithm>
#include <cstdint>

namespace plinth::tensor::cpu {

// Rows of x cut into tiles: as many of the highest as fit, then of half that, and so on.
struct Tiles {
  int64_t rows;
  int height;  // of a whole tile, a power of two

  int height_at(int64_t row) const {
    int h = height;
    while (rows - row < h) h /= 2;
    return h;
  }
};

// Rows of x, rounded: spans of blocks one after the other; in a span tiles of rows; in a tile
// blocks. What one panel is multiplied by before the next blocks of it is then one stream.
struct Rounded {
  uint8_t* data = nullptr;
  int64_t rows = 0;
  int64_t blocks = 0;     // of 32, of a row
  int64_t span = 0;       // blocks of a span; the last may have fewer
  int64_t row_bytes = 0;  // of a block of a row

  // One block of all tiles.
  struct Block {
    uint8_t* data;
    int64_t step;  // bytes from row to row
    int64_t skip;  // bytes of a tile's row before the block

    // In the tile of `height` rows that begins at `row`.
    uint8_t* at(int64_t row, int height) const { return data + row * step + height * skip; }
  };

  Block block(int64_t block) const {
    const int64_t first = block / span * span;
    const int64_t count = std::min(span, blocks - first);
    return {data + row_bytes * first * rows, row_bytes * count, row_bytes * (block - first)};
  }

  uint8_t* at(int64_t block_at, int64_t row, int height) const {
    return block(block_at).at(row, height);
  }
};

// What a product of quantised rows is made of for this target.
struct Int8Shape {
  int panel;           // rows of the weight side by side
  int at_once;         // panels that a tile passes over at once
  int tile;            // rows of x in a whole tile
  int row_bytes;       // of a row of x per block of 32
  int64_t span;        // blocks of a span of rounded x
  int64_t task_bytes;  // of rounded x that a task passes over for each panel
};

// One thread's part: y[row .. row + rows, col .. col + cols).
struct Int8Task {
  const Rounded* rounded = nullptr;  // all of x
  int64_t row = 0, rows = 0;         // in whole tiles of all of x
  int64_t col = 0, cols = 0;
  bool add = false;
};

}  // namespace plinth::tensor::cpu
