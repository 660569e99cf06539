// One sequence on its way through the engine: its tokens, how far they are in the KV cache, and who
// wants what comes out. Owned by the engine thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/adapter_pool.h"
#include "engine/block_pool.h"
#include "engine/engine.h"
#include "engine/output.h"
#include "engine/prefix_cache.h"

namespace plinth::engine {

struct Sequence {
  RequestId id = 0;         // grows: the smaller is the older
  RequestId request = 0;    // what cancel() calls it; choices of one request share it
  bool background = false;  // scoring: stands back behind answers
  std::string tenant;       // empty: nobody in particular
  int32_t priority = 0;     // the smaller goes first
  int64_t deadline_ns = 0;  // by the monotonic clock; 0: none
  bool guest = false;       // stands back in the step that is planned
  bool answering = false;   // that step's row comes behind its newest token
  std::vector<int32_t> tokens;
  std::shared_ptr<const model::Adapter> adapter;  // shared with the request's owner or the pool
  AdapterPool::Pin pin;                           // of a registered adapter
  std::unique_ptr<Output> output;
  // Further choices, which part from this one when the prompt has been computed.
  std::vector<std::unique_ptr<Sequence>> forks;

  int64_t lookup_tokens = 0;   // may be guessed at a time
  int64_t lookup_reach = 0;    // are guessed: as many as were right lately, and some
  std::vector<int32_t> guess;  // the newest token and what may follow it: rows of this step

  bool started = false;  // was admitted once
  double core_s = 0;     // Usage::core_s of the steps that have ended
  int64_t computed = 0;  // tokens whose keys and values are in the blocks
  int64_t reached = 0;   // most of them that it ever had when it gave its blocks back
  std::vector<BlockHandle> blocks;
  std::vector<int32_t> table;  // their numbers, as the kernels read them
  bool cacheable = false;      // an adapter without a digest cannot be told from another
  PrefixCache::Chain scope;    // where this sequence's prefixes begin
  PrefixCache::Chain chain;    // behind the last block the cache knows
  int64_t blocks_known = 0;    // blocks the cache knows
  bool borrows = false;        // the last block is the cache's: copied before the next row

  int64_t lacking() const { return static_cast<int64_t>(tokens.size()) - computed; }

  // Tokens at the front that may come from the cache: the rows whose logits are wanted must be run.
  int64_t reusable() const {
    const auto size = static_cast<int64_t>(tokens.size());
    return cacheable ? std::min(size - 1, output->first_wanted(size)) : 0;
  }

  // Ends it and its forks from outside.
  void abort(const Error& error) {
    output->abort(error);
    for (auto& fork : forks) fork->output->abort(error);
    release();
  }

  // A choice that has the same prompt behind it goes on from the same blocks.
  void share_with(Sequence& fork) const {
    fork.blocks = blocks;
    fork.table = table;
    fork.computed = computed;
    fork.chain = chain;
    fork.blocks_known = blocks_known;
  }

  void hold(BlockHandle block) {
    table.push_back(block.block());
    blocks.push_back(std::move(block));
  }

  // Last block first: the pool reuses the ends of chains before their beginnings.
  void release() {
    reached = std::max(reached, computed);
    while (!blocks.empty()) blocks.pop_back();
    table.clear();
    guess.clear();
    computed = blocks_known = 0;
    borrows = false;
    chain = scope;
  }
};

}  // namespace plinth::engine
