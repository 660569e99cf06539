// Prompts that begin alike and are read at the same time: the first computes what they share, the
// others follow and take its blocks from the prefix cache.
//
// Plain data: who waits for whom in the step that is planned. Nothing is remembered between steps,
// so nobody waits for a sequence that has ended or lost its blocks.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/scheduler.h"

namespace plinth::engine {

struct Prompt {
  std::string_view scope = {};  // of the prefix cache; empty: shares with nobody
  std::span<const int32_t> tokens = {};
  int64_t computed = 0;  // of them, in the KV cache
  int64_t reusable = 0;  // tokens at the front that need not be its own: Sequence::reusable()
};

// prompts     in the order in which StepPlan counts sequences
// shared_min  fewer shared tokens are sooner computed than waited for
// Who follows whom. Leaders come earlier and follow nobody.
std::vector<std::optional<Follows>> followers(std::span<const Prompt> prompts, int64_t block_tokens,
                                              int64_t shared_min);

}  // namespace plinth::engine
