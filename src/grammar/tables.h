// The automaton at work: states, transitions and masks of one grammar over one vocabulary, made
// when they are first needed and kept for all requests that use the same grammar.
//
// A state says all the ways in which the bytes so far can be read. It is a list of pairs
// (set of nodes, frame): what may come next within rules that were called from the same place, and
// that place. A frame is what follows once those rules have ended: again a list of (set, frame).
// Calls of a rule that begin at the same byte share one frame, so that n bytes make O(n) frames and
// never a number of stacks that doubles (as in Earley's parser). Sets, frames and states are
// interned: equal ones have the same number, and in most grammars there are few.
//
// Masks rest on that. What a set of nodes allows before its rule ends is the same under every
// frame, so it is walked once ("local"): a mask, and the places in the trie where the rule may have
// ended. Under a frame only the subtrees below those places are walked. A string that is read deep
// inside an object costs nothing that the string at the top has not paid for. And tokens of up to n
// bytes are walked once for all sets whose nodes are alike up to n bytes (alike.h): the positions
// of a string of at most 100 characters share all walks but those of tokens that may run over its
// end.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/result.h"
#include "grammar/grammar.h"
#include "grammar/interner.h"
#include "grammar/network.h"
#include "grammar/trie.h"

namespace plinth::grammar {

// Tokens first..last-1 of Trie::ids().
struct TokenRange {
  int32_t first;
  int32_t last;
};

// Some tokens of a vocabulary, in the smaller of two forms.
class TokenSet {
 public:
  TokenSet() = default;
  TokenSet(const Trie& trie, std::span<const TokenRange> ranges, int32_t vocabulary);
  explicit TokenSet(std::span<const uint64_t> mask);

  void add_to(std::span<uint64_t> mask) const;

  size_t bytes() const { return ids_.size() * sizeof(int32_t) + words_.size() * sizeof(uint64_t); }

 private:
  std::vector<int32_t> ids_;
  std::vector<uint64_t> words_;  // when there are many
};

// Not thread-safe: callers hold mutex().
class Tables {
 public:
  static constexpr int32_t kDead = 0;

  // The network outlives the tables: matchers hold both.
  Tables(const Network& network, std::shared_ptr<const Vocabulary> vocabulary);

  std::mutex& mutex() { return mutex_; }

  const Vocabulary& vocabulary() const { return *vocabulary_; }

  int32_t start();

  // The state after one more byte; kDead when it cannot come.
  Result<int32_t> step(int32_t state, uint8_t byte);

  bool can_end(int32_t state) const {
    return (infos_[static_cast<size_t>(state)].flags & kCanEnd) != 0;
  }

  // Nothing can follow.
  bool is_final(int32_t state) const { return states_.list(state).size() == 1; }

  // Adds the tokens that may come in the state.
  Status add_mask(int32_t state, std::span<uint64_t> mask);

  // Time to begin anew: before memory is used up, or because a limit was met in the middle.
  bool full() const { return spoilt_ || bytes_ > kBytesMax / 2; }

  size_t bytes() const { return bytes_; }

  // A state of other tables of the same network, as a state of these.
  int32_t take_over(const Tables& other, int32_t state);

 private:
  static constexpr size_t kBytesMax = size_t{48} << 20;
  // For one mask or token: trie nodes walked, and kItemWork for each node of the network.
  static constexpr int64_t kWorkMax = 20'000'000;
  static constexpr int64_t kItemWork = 8;

  // Flags of a state, the first number of its list.
  static constexpr int32_t kCanEnd = 1;
  static constexpr int32_t kLeft = 2;  // the rule that a local walk began in may have ended

  // Frames that are no lists.
  static constexpr int32_t kRoot = 0;   // nothing follows
  static constexpr int32_t kAbove = 1;  // what follows is not looked at: a local walk

  struct Item {
    int32_t node;
    int32_t frame;
  };

  struct Local {
    TokenSet tokens;
    std::vector<int32_t> exits;  // trie nodes behind which the rule may have ended
  };

  struct StateInfo {
    int32_t flags = 0;
    int32_t row = -1;  // index into next_; negative: not laid out yet
    std::unique_ptr<const TokenSet> mask;
  };

  int32_t close(std::vector<Item> items, int32_t flags);
  int32_t after(int32_t frame);
  int32_t transition(int32_t state, uint8_t byte);
  int32_t state_of(std::span<const int32_t> list);
  int32_t frame_of(std::span<const int32_t> list);
  int32_t set_of(std::vector<int32_t> nodes);
  int32_t row_of(int32_t state);
  const Local& local(size_t length, int32_t set);
  void walk(const Trie& trie, int32_t begin, int32_t end, int32_t state,
            std::vector<TokenRange>& found, std::vector<int32_t>* exits);
  Status check();

  bool exhausted() const { return work_ > kWorkMax || bytes_ > kBytesMax; }

  const Network& network_;
  std::shared_ptr<const Vocabulary> vocabulary_;
  std::mutex mutex_;

  Interner sets_;                 // sorted nodes
  Interner frames_;               // frame, set, frame, set, ... sorted by frame
  Interner states_;               // flags, frame, set, frame, set, ... sorted by frame
  std::vector<StateInfo> infos_;  // by state
  std::vector<int32_t> next_;     // rows of states by class of bytes
  std::array<std::unordered_map<int32_t, Local>, kAlikeBytes.size() + 1> locals_;  // by set
  std::unordered_map<int32_t, int32_t> afters_;                                    // by frame
  int64_t work_ = 0;
  size_t bytes_ = 0;     // about
  bool spoilt_ = false;  // some state was left unfinished
};

}  // namespace plinth::grammar
