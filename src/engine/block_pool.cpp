#include "engine/block_pool.h"

#include "core/check.h"

namespace plinth::engine {

BlockHandle::BlockHandle(const BlockHandle& other) : pool_(other.pool_), block_(other.block_) {
  if (pool_ != nullptr) pool_->hold(block_);
}

BlockHandle::BlockHandle(BlockHandle&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)), block_(std::exchange(other.block_, -1)) {}

BlockHandle& BlockHandle::operator=(BlockHandle other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(block_, other.block_);
  return *this;
}

BlockHandle::~BlockHandle() {
  if (pool_ != nullptr) pool_->release(block_);
}

BlockPool::BlockPool(int32_t blocks) : slots_(static_cast<size_t>(blocks) + 1) {
  PLINTH_CHECK(blocks >= 0, "{} blocks", blocks);
  Slot& sentinel = slots_.back();
  sentinel.previous = sentinel.next = blocks;
  for (int32_t block = 0; block < blocks; ++block) insert_before(block, blocks);
}

BlockPool::~BlockPool() {
  PLINTH_CHECK(free_ == blocks(), "{} of {} blocks are still held", blocks() - free_, blocks());
}

BlockPool::Slot& BlockPool::at(int32_t block) {
  PLINTH_DCHECK(block >= 0 && block < blocks(), "block {} of {}", block, blocks());
  return slots_[static_cast<size_t>(block)];
}

const BlockPool::Slot& BlockPool::at(int32_t block) const {
  PLINTH_DCHECK(block >= 0 && block < blocks(), "block {} of {}", block, blocks());
  return slots_[static_cast<size_t>(block)];
}

Result<BlockHandle> BlockPool::take() {
  if (free_ == 0) return exhausted("all {} KV blocks are in use", blocks());
  const int32_t block = slots_.back().next;
  unlink(block);
  Slot& slot = at(block);
  slot.holders = 1;
  slot.kept = false;
  ++slot.generation;
  return BlockHandle(this, block);
}

Result<BlockHandle> BlockPool::revive(int32_t block, uint64_t generation) {
  if (at(block).generation != generation)
    return not_found("KV block {} holds something else by now", block);
  hold(block);
  return BlockHandle(this, block);
}

void BlockPool::hold(int32_t block) {
  if (at(block).holders == 0) unlink(block);
  ++at(block).holders;
}

void BlockPool::release(int32_t block) {
  Slot& slot = at(block);
  PLINTH_CHECK(slot.holders > 0, "block {} is given back twice", block);
  if (--slot.holders > 0) return;
  const int32_t sentinel = blocks();
  insert_before(block, slot.kept ? sentinel : slots_.back().next);
}

void BlockPool::insert_before(int32_t block, int32_t next) {
  Slot& right = slots_[static_cast<size_t>(next)];
  Slot& middle = slots_[static_cast<size_t>(block)];
  middle.next = next;
  middle.previous = right.previous;
  slots_[static_cast<size_t>(right.previous)].next = block;
  right.previous = block;
  ++free_;
}

void BlockPool::unlink(int32_t block) {
  Slot& slot = at(block);
  slots_[static_cast<size_t>(slot.previous)].next = slot.next;
  slots_[static_cast<size_t>(slot.next)].previous = slot.previous;
  slot.previous = slot.next = -1;
  --free_;
}

}  // namespace plinth::engine
