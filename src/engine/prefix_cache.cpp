#include "engine/prefix_cache.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/hash.h"

namespace plinth::engine {

PrefixCache::PrefixCache(BlockPool& pool, int64_t block_tokens, Hash hash)
    : pool_(&pool),
      block_tokens_(block_tokens),
      hash_(hash != nullptr ? hash : &xxh3),
      nodes_(static_cast<size_t>(pool.blocks())) {}

PrefixCache::Chain PrefixCache::start(std::string_view adapter_digest,
                                      std::string_view salt) const {
  Chain chain;
  // The length first: no two different pairs give the same string.
  chain.scope_ = fmt::format("{}:{}{}", adapter_digest.size(), adapter_digest, salt);
  chain.hash_ = hash_(chain.scope_, 0);
  return chain;
}

uint64_t PrefixCache::key(const Chain& chain, std::span<const int32_t> tokens) const {
  return hash_({reinterpret_cast<const char*>(tokens.data()), tokens.size_bytes()}, chain.hash_);
}

const PrefixCache::Node* PrefixCache::match(const Chain& chain, std::span<const int32_t> tokens,
                                            uint64_t key) const {
  const auto found = block_of_.find(key);
  if (found == block_of_.end()) return nullptr;
  const auto& node = nodes_[static_cast<size_t>(found->second)];
  if (!node || pool_->generation(node->block) != node->generation) return nullptr;
  if (node->parent != chain.node_ || !std::ranges::equal(node->tokens, tokens)) return nullptr;
  if (chain.node_ == 0 && node->scope != chain.scope_) return nullptr;
  return &*node;
}

int64_t PrefixCache::known(const Chain& from, std::span<const int32_t> tokens) const {
  const auto size = static_cast<size_t>(block_tokens_);
  uint64_t hash = from.hash_;
  Chain chain;
  chain.scope_ = from.scope_;
  chain.node_ = from.node_;
  int64_t blocks = 0;
  for (; tokens.size() >= size; tokens = tokens.subspan(size), ++blocks) {
    chain.hash_ = hash;
    const auto block = tokens.first(size);
    hash = key(chain, block);
    const Node* node = match(chain, block, hash);
    if (node == nullptr) break;
    chain.node_ = node->id;
  }
  return blocks;
}

std::vector<BlockHandle> PrefixCache::find(Chain& chain, std::span<const int32_t> tokens) {
  const auto size = static_cast<size_t>(block_tokens_);
  std::vector<BlockHandle> held;
  for (; tokens.size() >= size; tokens = tokens.subspan(size)) {
    const auto block = tokens.first(size);
    const uint64_t hash = key(chain, block);
    const Node* node = match(chain, block, hash);
    if (node == nullptr) break;
    auto handle = pool_->revive(node->block, node->generation);
    PLINTH_CHECK(handle.has_value(), "a matched block is always there");
    held.push_back(*std::move(handle));
    chain.hash_ = hash;
    chain.node_ = node->id;
  }
  return held;
}

void PrefixCache::add(Chain& chain, std::span<const int32_t> tokens, int32_t block) {
  PLINTH_CHECK(static_cast<int64_t>(tokens.size()) == block_tokens_, "{} tokens in a block of {}",
               tokens.size(), block_tokens_);
  const uint64_t hash = key(chain, tokens);
  if (const Node* known = match(chain, tokens, hash)) {
    chain.hash_ = hash;
    chain.node_ = known->id;
    return;
  }
  auto& slot = nodes_[static_cast<size_t>(block)];
  if (slot) {  // what the block held before; a newer node may own its key by now
    const auto old = block_of_.find(slot->key);
    if (old != block_of_.end() && old->second == block) block_of_.erase(old);
  }
  slot = Node{.id = ++nodes_made_,
              .parent = chain.node_,
              .block = block,
              .generation = pool_->generation(block),
              .key = hash,
              .scope = chain.node_ == 0 ? chain.scope_ : std::string(),
              .tokens = {tokens.begin(), tokens.end()}};
  block_of_[hash] = block;
  pool_->keep(block);
  chain.hash_ = hash;
  chain.node_ = slot->id;
}

}  // namespace plinth::engine
