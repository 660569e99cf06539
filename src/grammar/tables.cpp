#include "grammar/tables.h"

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <unordered_set>

#include "core/check.h"

namespace plinth::grammar {
namespace {

constexpr int32_t kUnknown = -1;

void set_bit(std::span<uint64_t> mask, int32_t token) {
  mask[static_cast<size_t>(token) / 64] |= uint64_t{1} << (token % 64);
}

}  // namespace

TokenSet::TokenSet(const Trie& trie, std::span<const TokenRange> ranges, int32_t vocabulary) {
  const auto each = [&](auto&& act) {
    for (const TokenRange& range : ranges)
      for (int32_t i = range.first; i < range.last; ++i) act(trie.ids()[static_cast<size_t>(i)]);
  };
  int64_t size = 0;
  for (const TokenRange& range : ranges) size += range.last - range.first;
  if (size * 32 < vocabulary) {
    ids_.reserve(static_cast<size_t>(size));
    each([&](int32_t id) { ids_.push_back(id); });
  } else {
    words_.resize((static_cast<size_t>(vocabulary) + 63) / 64);
    each([&](int32_t id) { set_bit(words_, id); });
  }
}

TokenSet::TokenSet(std::span<const uint64_t> mask) {
  size_t size = 0;
  for (const uint64_t word : mask) size += static_cast<size_t>(std::popcount(word));
  if (size >= mask.size() * 2) {
    words_.assign(mask.begin(), mask.end());
    return;
  }
  ids_.reserve(size);
  for (size_t w = 0; w < mask.size(); ++w)
    for (uint64_t bits = mask[w]; bits != 0; bits &= bits - 1)
      ids_.push_back(static_cast<int32_t>(w * 64) + std::countr_zero(bits));
}

void TokenSet::add_to(std::span<uint64_t> mask) const {
  for (const int32_t id : ids_) set_bit(mask, id);
  for (size_t i = 0; i < words_.size(); ++i) mask[i] |= words_[i];
}

Tables::Tables(const Network& network, std::shared_ptr<const Vocabulary> vocabulary)
    : network_(network), vocabulary_(std::move(vocabulary)) {
  frames_.id_of(std::array{kRoot});
  frames_.id_of(std::array{kAbove});
  PLINTH_CHECK(state_of(std::array{0}) == kDead, "the first state is the dead one");
}

int32_t Tables::start() {
  return close({{network_.start, kRoot}}, 0);
}

// --- interning ----------------------------------------------------------------------------------

int32_t Tables::state_of(std::span<const int32_t> list) {
  const int32_t id = states_.id_of(list);
  if (static_cast<size_t>(id) == infos_.size()) {
    infos_.emplace_back().flags = list[0];
    bytes_ += list.size_bytes() + sizeof(StateInfo) + 64;
  }
  return id;
}

int32_t Tables::frame_of(std::span<const int32_t> list) {
  const int32_t before = frames_.size();
  const int32_t id = frames_.id_of(list);
  if (id == before) bytes_ += list.size_bytes() + 64;
  return id;
}

int32_t Tables::set_of(std::vector<int32_t> nodes) {
  std::ranges::sort(nodes);
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  const int32_t before = sets_.size();
  const int32_t id = sets_.id_of(nodes);
  if (id == before) bytes_ += nodes.size() * sizeof(int32_t) + 64;
  return id;
}

// --- states -------------------------------------------------------------------------------------

// The state of these items and of everything that follows from them without a byte: rules that have
// ended go on in their frame, calls open frames. A rule that was only just called never ends here:
// its caller already has what follows an empty text (see network.h).
int32_t Tables::close(std::vector<Item> items, int32_t flags) {
  std::map<int32_t, std::vector<int32_t>> nodes;  // by frame
  std::map<std::pair<int32_t, int32_t>, std::vector<Item>>
      calls;  // by rank and rule: where it returns
  std::unordered_set<uint64_t> seen;
  const auto push = [&](int32_t node, int32_t frame) {
    const uint64_t key = uint64_t{static_cast<uint32_t>(node)} << 32 | static_cast<uint32_t>(frame);
    if (seen.insert(key).second) items.push_back({node, frame});
  };
  const auto start_of = [&](int32_t rule) {
    return network_.rules[static_cast<size_t>(rule)].start;
  };
  // What all items do, old and newly called.
  const auto open = [&](const Item& item) {
    work_ += kItemWork;
    if (!network_.edges_of(item.node).empty()) nodes[item.frame].push_back(item.node);
    for (const Call& call : network_.calls_of(item.node)) {
      work_ += kItemWork;
      if (network_.ends(call.to))
        push(start_of(call.rule), item.frame);
      else
        calls[{network_.rules[static_cast<size_t>(call.rule)].rank, call.rule}].push_back(
            {call.to, item.frame});
    }
  };

  std::vector<Item> first;
  first.swap(items);
  for (const Item& item : first) push(item.node, item.frame);
  for (size_t i = 0; i < items.size() && !exhausted(); ++i) {
    const Item item = items[i];
    if (network_.accepts(item.node)) {
      if (item.frame == kRoot) {
        flags |= kCanEnd;
      } else if (item.frame == kAbove) {
        flags |= kLeft;
      } else {
        const auto frame = frames_.list(item.frame);
        for (size_t k = 0; k < frame.size(); k += 2)
          for (const int32_t node : sets_.list(frame[k + 1])) push(node, frame[k]);
      }
    }
    open(item);
  }

  // Callers before the called: all callers of a rule are known when its frame is made.
  std::vector<int32_t> list;
  while (!calls.empty() && !exhausted()) {
    auto called = calls.extract(calls.begin());
    const int32_t rule = called.key().second;
    std::map<int32_t, std::vector<int32_t>> returns;
    for (const Item& item : called.mapped()) returns[item.frame].push_back(item.node);
    list.clear();
    for (auto& [frame, set] : returns) {
      list.push_back(frame);
      list.push_back(set_of(std::move(set)));
    }
    const int32_t frame = frame_of(list);
    items.clear();
    push(start_of(rule), frame);
    for (size_t i = 0; i < items.size() && !exhausted(); ++i) open(Item(items[i]));
  }

  list.assign(1, flags);
  for (auto& [frame, set] : nodes) {
    list.push_back(frame);
    list.push_back(set_of(std::move(set)));
  }
  return state_of(list);
}

// The state once everything that the frame waits for has ended.
int32_t Tables::after(int32_t frame) {
  if (const auto known = afters_.find(frame); known != afters_.end()) return known->second;
  std::vector<Item> items;
  const auto list = frames_.list(frame);
  for (size_t k = 0; k < list.size(); k += 2)
    for (const int32_t node : sets_.list(list[k + 1])) items.push_back({node, list[k]});
  const int32_t state = close(std::move(items), 0);
  afters_.emplace(frame, state);
  return state;
}

// Where the state's row begins; lays it out with nothing known but what no edge reads.
int32_t Tables::row_of(int32_t state) {
  int32_t& row = infos_[static_cast<size_t>(state)].row;
  if (row >= 0) return row;
  row = static_cast<int32_t>(next_.size());
  next_.resize(next_.size() + static_cast<size_t>(network_.classes), kDead);
  bytes_ += static_cast<size_t>(network_.classes) * sizeof(int32_t);
  const auto begin = next_.begin() + row;
  const auto list = states_.list(state);
  for (size_t k = 1; k < list.size(); k += 2)
    for (const int32_t node : sets_.list(list[k + 1]))
      for (const Edge& edge : network_.edges_of(node)) {
        ++work_;
        std::fill(begin + network_.class_of[edge.first], begin + network_.class_of[edge.last] + 1,
                  kUnknown);
      }
  return row;
}

int32_t Tables::transition(int32_t state, uint8_t byte) {
  const auto at = static_cast<size_t>(row_of(state)) + network_.class_of[byte];
  if (next_[at] != kUnknown) return next_[at];
  std::vector<Item> items;
  const auto list = states_.list(state);
  for (size_t k = 1; k < list.size(); k += 2)
    for (const int32_t node : sets_.list(list[k + 1]))
      for (const Edge& edge : network_.edges_of(node)) {
        ++work_;
        if (edge.first <= byte && byte <= edge.last) items.push_back({edge.to, list[k]});
      }
  const int32_t to = close(std::move(items), 0);
  next_[at] = to;
  return to;
}

Status Tables::check() {
  if (!exhausted()) return {};
  spoilt_ = true;
  return make_error(Code::kResourceExhausted,
                    "grammar: too ambiguous: more than {} steps or {} bytes for one token",
                    kWorkMax, kBytesMax);
}

Result<int32_t> Tables::step(int32_t state, uint8_t byte) {
  work_ = 0;
  const int32_t next = transition(state, byte);
  PLINTH_TRY(check());
  return next;
}

// --- masks --------------------------------------------------------------------------------------

// Collects the tokens that end in [begin, end) of the trie and can be read from `state`, which
// stands before the bytes at the depth of `begin`. `exits`, of a local walk: where the rule may
// have ended while some token goes on.
void Tables::walk(const Trie& trie, int32_t begin, int32_t end, int32_t state,
                  std::vector<TokenRange>& found, std::vector<int32_t>* exits) {
  if (begin == end) return;
  const auto nodes = trie.nodes();

  struct Before {
    int32_t state;
    int32_t row;
  };

  std::array<Before, Trie::kTokenBytesMax + 1> before;  // by depth
  before[nodes[static_cast<size_t>(begin)].depth] = {state, row_of(state)};
  TokenRange open{-1, -1};  // the next node often goes on where the last one ended
  for (int32_t i = begin; i < end && !exhausted();) {
    const Trie::Node& node = nodes[static_cast<size_t>(i)];
    ++work_;
    const Before& from = before[node.depth];
    int32_t to = next_[static_cast<size_t>(from.row) + network_.class_of[node.byte]];
    if (to == kUnknown) to = transition(from.state, node.byte);
    if (to == kDead) {
      i = node.end;
      continue;
    }
    if (open.last != node.tokens) {
      if (open.first < open.last) found.push_back(open);
      open.first = node.tokens;
    }
    open.last = trie.tokens_end(i);
    if (++i < node.end) {
      before[node.depth + size_t{1}] = {to, row_of(to)};
      if (exits != nullptr && (infos_[static_cast<size_t>(to)].flags & kLeft) != 0)
        exits->push_back(i - 1);
    }
  }
  if (open.first < open.last) found.push_back(open);
}

// Of tokens of the given range of lengths, for all sets that are alike up to the longest.
const Tables::Local& Tables::local(size_t length, int32_t set) {
  if (length < network_.alike.size()) {
    const auto nodes = sets_.list(set);
    std::vector<int32_t> alike(nodes.begin(), nodes.end());
    for (int32_t& node : alike) node = network_.alike[length][static_cast<size_t>(node)];
    set = set_of(std::move(alike));
  }
  auto& locals = locals_[length];
  if (const auto known = locals.find(set); known != locals.end()) return known->second;
  const Trie& trie = vocabulary_->tries()[length];
  std::vector<TokenRange> found;
  Local local;
  walk(trie, 0, static_cast<int32_t>(trie.nodes().size()), state_of(std::array{0, kAbove, set}),
       found, &local.exits);
  local.tokens = TokenSet(trie, found, vocabulary_->size());
  local.exits.shrink_to_fit();
  bytes_ += local.tokens.bytes() + local.exits.size() * sizeof(int32_t) + sizeof(Local);
  return locals.emplace(set, std::move(local)).first->second;
}

Status Tables::add_mask(int32_t state, std::span<uint64_t> mask) {
  if (const auto& known = infos_[static_cast<size_t>(state)].mask; known != nullptr) {
    known->add_to(mask);
    return {};
  }
  work_ = 0;
  std::vector<uint64_t> words(mask.size());
  std::vector<TokenRange> found;
  const auto list = states_.list(state);
  for (size_t k = 1; k < list.size(); k += 2)
    for (size_t length = 0; length < locals_.size(); ++length) {
      const Local& part = local(length, list[k + 1]);
      part.tokens.add_to(words);
      if (list[k] == kRoot || part.exits.empty()) continue;  // nothing follows
      const int32_t next = after(list[k]);
      const Trie& trie = vocabulary_->tries()[length];
      found.clear();
      for (const int32_t exit : part.exits)
        walk(trie, exit + 1, trie.nodes()[static_cast<size_t>(exit)].end, next, found, nullptr);
      for (const TokenRange& range : found)
        for (int32_t i = range.first; i < range.last; ++i)
          set_bit(words, trie.ids()[static_cast<size_t>(i)]);
    }
  PLINTH_TRY(check());
  auto known = std::make_unique<const TokenSet>(words);
  bytes_ += known->bytes() + sizeof(TokenSet);
  infos_[static_cast<size_t>(state)].mask = std::move(known);
  for (size_t w = 0; w < words.size(); ++w) mask[w] |= words[w];
  return {};
}

// Frames are numbered after the frames that they name, so one pass in order of number renames them.
int32_t Tables::take_over(const Tables& other, int32_t state) {
  std::map<int32_t, int32_t> renamed{{kRoot, kRoot}, {kAbove, kAbove}};
  std::unordered_set<int32_t> wanted;
  std::vector<int32_t> todo;
  const auto want = [&](std::span<const int32_t> pairs) {
    for (size_t k = 0; k < pairs.size(); k += 2)
      if (pairs[k] != kRoot && wanted.insert(pairs[k]).second) todo.push_back(pairs[k]);
  };
  const auto rename = [&](std::span<const int32_t> pairs, std::vector<int32_t> list) {
    std::map<int32_t, int32_t> sorted;
    for (size_t k = 0; k < pairs.size(); k += 2) {
      const auto nodes = other.sets_.list(pairs[k + 1]);
      sorted[renamed.at(pairs[k])] = set_of({nodes.begin(), nodes.end()});
    }
    for (const auto& [frame, set] : sorted) list.insert(list.end(), {frame, set});
    return list;
  };
  const auto list = other.states_.list(state);
  want(list.subspan(1));
  while (!todo.empty()) {
    const int32_t frame = todo.back();
    todo.pop_back();
    want(other.frames_.list(frame));
  }
  std::vector<int32_t> frames(wanted.begin(), wanted.end());
  std::ranges::sort(frames);
  for (const int32_t frame : frames)
    renamed[frame] = frame_of(rename(other.frames_.list(frame), {}));
  return state_of(rename(list.subspan(1), {list[0]}));
}

}  // namespace plinth::grammar
