#include "engine/prefix_cache.h"

#include <algorithm>
#include <iterator>
#include <tuple>
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

bool PrefixCache::Place::operator<(const Place& other) const {
  return std::tie(parent, tokens, block) < std::tie(other.parent, other.tokens, other.block);
}

uint64_t PrefixCache::key(const Chain& chain, std::span<const int32_t> tokens) const {
  return hash_({reinterpret_cast<const char*>(tokens.data()), tokens.size_bytes()}, chain.hash_);
}

const PrefixCache::Node* PrefixCache::match(const Chain& chain, std::span<const int32_t> tokens,
                                            uint64_t key) const {
  const auto found = block_of_.find(key);
  if (found == block_of_.end()) return nullptr;
  const auto& node = nodes_[static_cast<size_t>(found->second)];
  if (!node || pool_->generation(found->second) != node->generation) return nullptr;
  if (node->place->parent != chain.node_ || !std::ranges::equal(node->place->tokens, tokens))
    return nullptr;
  if (chain.node_ == 0 && node->scope != chain.scope_) return nullptr;
  return &*node;
}

std::vector<int32_t> PrefixCache::follow(Chain& chain, std::span<const int32_t> tokens) const {
  const auto size = static_cast<size_t>(block_tokens_);
  std::vector<int32_t> blocks;
  for (; tokens.size() >= size; tokens = tokens.subspan(size)) {
    const auto block = tokens.first(size);
    const uint64_t hash = key(chain, block);
    const Node* node = match(chain, block, hash);
    if (node == nullptr) break;
    blocks.push_back(node->place->block);
    chain.hash_ = hash;
    chain.node_ = node->id;
  }
  return blocks;
}

// The block after the chain that shares most tokens with what comes next. It is a neighbour of
// where these tokens would stand in the order of places: the further off, the fewer are shared.
PrefixCache::Beginning PrefixCache::begins_alike(const Chain& chain,
                                                 std::span<const int32_t> tokens) const {
  if (chain.node_ == 0) return {};  // places of all scopes follow it
  tokens = tokens.first(std::min(tokens.size(), static_cast<size_t>(block_tokens_ - 1)));
  Beginning best;
  // False: further off there is nothing better.
  const auto look_at = [&](const Place& place) {
    if (place.parent != chain.node_) return false;
    const int64_t alike = std::ranges::mismatch(place.tokens, tokens).in2 - tokens.begin();
    if (alike <= best.tokens) return false;
    const auto& node = nodes_[static_cast<size_t>(place.block)];
    if (pool_->generation(place.block) != node->generation) return true;
    best = {place.block, alike};
    return false;
  };
  const auto here = places_.lower_bound({chain.node_, {tokens.begin(), tokens.end()}, -1});
  for (auto right = here; right != places_.end() && look_at(*right);) ++right;
  for (auto left = here; left != places_.begin() && look_at(*std::prev(left));) --left;
  return best;
}

int64_t PrefixCache::known(const Chain& from, std::span<const int32_t> tokens) const {
  Chain chain = from;
  const int64_t full = std::ssize(follow(chain, tokens)) * block_tokens_;
  return full + begins_alike(chain, tokens.subspan(static_cast<size_t>(full))).tokens;
}

BlockHandle PrefixCache::hold(int32_t block) {
  auto handle = pool_->revive(block, pool_->generation(block));
  PLINTH_CHECK(handle.has_value(), "a matched block is always there");
  return *std::move(handle);
}

std::vector<BlockHandle> PrefixCache::find(Chain& chain, std::span<const int32_t> tokens) {
  std::vector<BlockHandle> held;
  for (const int32_t block : follow(chain, tokens)) held.push_back(hold(block));
  const auto full = held.size() * static_cast<size_t>(block_tokens_);
  const Beginning next = begins_alike(chain, tokens.subspan(full));
  if (next.tokens > 0) held.push_back(hold(next.block));
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
    places_.erase(slot->place);
  }
  slot = Node{.id = ++nodes_made_,
              .place = places_.insert({chain.node_, {tokens.begin(), tokens.end()}, block}).first,
              .generation = pool_->generation(block),
              .key = hash,
              .scope = chain.node_ == 0 ? chain.scope_ : std::string()};
  block_of_[hash] = block;
  pool_->keep(block);
  chain.hash_ = hash;
  chain.node_ = slot->id;
}

}  // namespace plinth::engine
