// Which KV blocks hold which prefixes, so that a prompt that begins like an earlier one need not be
// computed again.
//
// A prefix is a chain of full blocks inside a scope: (adapter digest, salt). The chain
// is found by hashes and believed only after comparing scope, tokens and predecessor: a collision
// can slow a request down, it can never hand it another prompt's blocks. Keys and values depend on
// the adapter, so a prefix is never shared across adapters; salts keep tenants from timing each
// other's prompts. Where a text leaves a chain inside a block, the block's rows before that are
// still its own: whoever goes on from them copies the block first.
//
// The cache holds no block: it remembers free blocks until the pool needs them for something else,
// least recently used first. Its memory is bounded by the number of blocks. Owned by the engine
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/block_pool.h"

namespace plinth::engine {

class PrefixCache {
 public:
  // `hash` maps (tokens of a block, hash of what lies before) to a key; tests pass a bad one.
  using Hash = uint64_t (*)(std::string_view bytes, uint64_t seed);

  PrefixCache(BlockPool& pool, int64_t block_tokens, Hash hash = nullptr);
  PrefixCache(const PrefixCache&) = delete;
  PrefixCache& operator=(const PrefixCache&) = delete;

  // A place in a chain: what the next block continues. Starts at the scope.
  class Chain {
   public:
    const std::string& scope() const { return scope_; }

   private:
    friend class PrefixCache;
    std::string scope_;
    uint64_t hash_ = 0;
    uint64_t node_ = 0;  // of the block before; 0 at the scope
  };

  // A cache belongs to one base.
  Chain start(std::string_view adapter_digest, std::string_view salt) const;

  // How many of `tokens`, from the first on, are known: those of full blocks, and the first ones of
  // a block that goes on differently, unless that is the first of its scope. Changes nothing.
  int64_t known(const Chain& from, std::span<const int32_t> tokens) const;

  // The blocks that hold known(chain, tokens) tokens, held; `chain` moves past the full ones. The
  // last block may hold only the first of its tokens, and is not to be written.
  std::vector<BlockHandle> find(Chain& chain, std::span<const int32_t> tokens);

  // Remembers that `block` holds the keys and values of `tokens` (one full block) after `chain`,
  // and moves the chain past it. A prefix that is known already keeps its older block.
  void add(Chain& chain, std::span<const int32_t> tokens, int32_t block);

 private:
  // What a block holds. In their order, blocks after the same one that begin alike are neighbours.
  struct Place {
    uint64_t parent = 0;  // id of the block before
    std::vector<int32_t> tokens = {};
    int32_t block = -1;

    bool operator<(const Place& other) const;
  };

  using Places = std::set<Place>;

  struct Node {
    uint64_t id = 0;  // never reused
    Places::const_iterator place = {};
    uint64_t generation = 0;
    uint64_t key = 0;
    std::string scope = {};  // first block of a chain only
  };

  // A block, of which the first `tokens` are meant.
  struct Beginning {
    int32_t block = -1;
    int64_t tokens = 0;
  };

  uint64_t key(const Chain& chain, std::span<const int32_t> tokens) const;
  const Node* match(const Chain& chain, std::span<const int32_t> tokens, uint64_t key) const;
  // Moves the chain past the full blocks at the beginning of `tokens`.
  std::vector<int32_t> follow(Chain& chain, std::span<const int32_t> tokens) const;
  Beginning begins_alike(const Chain& chain, std::span<const int32_t> tokens) const;
  BlockHandle hold(int32_t block);

  BlockPool* pool_;  // outlives the cache: both belong to the engine, the pool is older
  int64_t block_tokens_;
  Hash hash_;
  uint64_t nodes_made_ = 0;
  std::unordered_map<uint64_t, int32_t> block_of_;  // key -> index into nodes_
  Places places_;                                   // of all nodes
  std::vector<std::optional<Node>> nodes_;          // by block
};

}  // namespace plinth::engine
