#include "engine/followers.h"

#include <algorithm>

namespace plinth::engine {
namespace {

// How far the leader must be for the follower to go on with all that they share; 0: it has nothing
// to wait for.
int64_t worth_waiting(const Prompt& leader, const Prompt& follower, int64_t block_tokens,
                      int64_t shared_min) {
  const int64_t size = std::ssize(leader.tokens);
  const int64_t most = std::min(size, follower.reusable);
  if (leader.scope != follower.scope) return 0;
  // Most that begin alike part before this place: then the beginning need not be compared.
  const int64_t next = leader.computed - leader.computed % block_tokens;
  if (next >= most) return 0;
  if (leader.tokens[static_cast<size_t>(next)] != follower.tokens[static_cast<size_t>(next)])
    return 0;
  const auto tokens = leader.tokens.first(static_cast<size_t>(most));
  const int64_t shared = std::ranges::mismatch(tokens, follower.tokens).in1 - tokens.begin();
  if (shared < shared_min) return 0;
  // Only full blocks can be taken; of the last one, perhaps only its first tokens.
  int64_t until = (shared + block_tokens - 1) / block_tokens * block_tokens;
  if (until > size) until -= block_tokens;
  return until > leader.computed && std::min(shared, until) > follower.computed ? until : 0;
}

}  // namespace

std::vector<std::optional<Follows>> followers(std::span<const Prompt> prompts, int64_t block_tokens,
                                              int64_t shared_min) {
  std::vector<std::optional<Follows>> found(prompts.size());
  for (size_t i = 0; i < prompts.size(); ++i) {
    const Prompt& prompt = prompts[i];
    if (prompt.scope.empty() || std::ssize(prompt.tokens) - prompt.computed <= 1) continue;
    for (size_t leader = 0; leader < i && !found[i]; ++leader) {
      if (found[leader]) continue;
      const int64_t until = worth_waiting(prompts[leader], prompt, block_tokens, shared_min);
      if (until > 0) found[i] = Follows{leader, until};
    }
  }
  return found;
}

}  // namespace plinth::engine
