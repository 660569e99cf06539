// The KV cache's memory, counted: which blocks are in use, by how many holders, and which come
// next.
//
// The pool deals in block numbers only; the floats live with the step. A block without holders is
// free, yet keeps its contents until it is taken again, so the prefix cache can revive it: free
// blocks form one queue, least recently used first, and blocks that nobody could want again go to
// its front. Owned by the engine thread.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "core/result.h"

namespace plinth::engine {

class BlockPool;

// One holder's share of a block; the last one to die gives the block back.
class BlockHandle {
 public:
  BlockHandle() = default;
  BlockHandle(const BlockHandle& other);
  BlockHandle(BlockHandle&& other) noexcept;
  BlockHandle& operator=(BlockHandle other) noexcept;
  ~BlockHandle();

  int32_t block() const { return block_; }

 private:
  friend class BlockPool;

  BlockHandle(BlockPool* pool, int32_t block) : pool_(pool), block_(block) {}

  BlockPool* pool_ = nullptr;  // outlives its handles: sequences die before the pool
  int32_t block_ = -1;
};

class BlockPool {
 public:
  explicit BlockPool(int32_t blocks);
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  ~BlockPool();

  // The free block that was given back longest ago; what it held is gone. kResourceExhausted when
  // dry.
  Result<BlockHandle> take();

  // One more holder of a block that still has the contents of `generation`, free or not.
  // kNotFound when it has been taken for something else since.
  Result<BlockHandle> revive(int32_t block, uint64_t generation);

  // Counts how often the block was taken: names its contents.
  uint64_t generation(int32_t block) const { return at(block).generation; }

  // Somebody may ask for these contents again: once free, the block waits at the back of the queue.
  void keep(int32_t block) { at(block).kept = true; }

  int32_t holders(int32_t block) const { return at(block).holders; }

  int32_t blocks() const { return static_cast<int32_t>(slots_.size()) - 1; }

  int32_t free() const { return free_; }

 private:
  friend class BlockHandle;

  // A ring of free blocks through slot `blocks()`, the sentinel.
  struct Slot {
    int32_t previous = -1;
    int32_t next = -1;
    int32_t holders = 0;
    bool kept = false;
    uint64_t generation = 0;
  };

  Slot& at(int32_t block);
  const Slot& at(int32_t block) const;
  void hold(int32_t block);
  void release(int32_t block);
  void insert_before(int32_t block, int32_t next);
  void unlink(int32_t block);

  std::vector<Slot> slots_;
  int32_t free_ = 0;
};

}  // namespace plinth::engine
