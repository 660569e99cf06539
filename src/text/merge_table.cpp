#include "text/merge_table.h"

#include <array>
#include <bit>
#include <functional>
#include <queue>

namespace plinth::text {

namespace {

// Up to here scanning all pairs for the lowest rank beats a heap: the ranks fit two cache lines a
// scan and most pieces are far shorter.
constexpr size_t kShort = 96;

}  // namespace

Result<std::vector<Merge>> resolve_merges(std::span<const std::string> merges,
                                          const std::function<int32_t(std::string_view)>& find) {
  std::vector<Merge> resolved;
  resolved.reserve(merges.size());
  std::string joined;
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const std::string_view text = merges[rank];
    const size_t space = text.find(' ');
    if (space == 0 || space == text.npos || space + 1 == text.size())
      return invalid("tokenizer: merge {} '{}' is not two tokens", rank, text);
    joined.assign(text.substr(0, space)).append(text.substr(space + 1));
    const Merge merge = {find(text.substr(0, space)), find(text.substr(space + 1)), find(joined),
                         static_cast<int32_t>(rank)};
    if (merge.left < 0 || merge.right < 0 || merge.result < 0)
      return invalid(
          "tokenizer: merge {} '{}' names or makes a token that is not in the vocabulary", rank,
          text);
    resolved.push_back(merge);
  }
  return resolved;
}

MergeTable::MergeTable(std::span<const Merge> merges) {
  const size_t size = std::bit_ceil(merges.size() * 2 + 2);
  shift_ = 64 - std::countr_zero(size);
  slots_.resize(size);
  for (const Merge& merge : merges) {
    const uint64_t pair = key(merge.left, merge.right);
    size_t at = home(pair);
    while (slots_[at].rank != kNone && slots_[at].pair != pair) at = (at + 1) & (size - 1);
    if (merge.rank < slots_[at].rank) slots_[at] = {pair, merge.rank, merge.result};
  }
}

MergeTable::Found MergeTable::find(int32_t left, int32_t right) const {
  const uint64_t pair = key(left, right);
  for (size_t at = home(pair);; at = (at + 1) & (slots_.size() - 1)) {
    if (slots_[at].pair == pair) return {slots_[at].rank, slots_[at].result};
    if (slots_[at].rank == kNone) return {};
  }
}

void MergeTable::apply(std::vector<int32_t>& ids) const {
  if (ids.size() < 2) return;
  if (ids.size() <= kShort)
    apply_short(ids);
  else
    apply_long(ids);
}

void MergeTable::apply_short(std::vector<int32_t>& ids) const {
  // pairs[i] is what ids[i], ids[i + 1] would become.
  std::array<int32_t, kShort> ranks;
  std::array<int32_t, kShort> results;
  size_t n = ids.size();
  const auto look_up = [&](size_t i) {
    const Found found = find(ids[i], ids[i + 1]);
    ranks[i] = found.rank;
    results[i] = found.result;
  };
  for (size_t i = 0; i + 1 < n; ++i) look_up(i);
  while (n > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < n; ++i)
      if (ranks[i] < ranks[best]) best = i;
    if (ranks[best] == kNone) break;
    ids[best] = results[best];
    --n;
    for (size_t i = best + 1; i < n; ++i) {
      ids[i] = ids[i + 1];
      ranks[i] = ranks[i + 1];
      results[i] = results[i + 1];
    }
    if (best > 0) look_up(best - 1);
    if (best + 1 < n) look_up(best);
  }
  ids.resize(n);
}

void MergeTable::apply_long(std::vector<int32_t>& ids) const {
  struct Node {
    int32_t previous;
    int32_t next;
  };

  // A pair as it was when it was queued; stale once either side has changed.
  struct Candidate {
    int32_t rank;
    int32_t at;
    int32_t left;
    int32_t right;
    int32_t result;

    bool operator>(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : at > other.at;
    }
  };

  const auto n = static_cast<int32_t>(ids.size());
  std::vector<Node> nodes(ids.size());
  std::vector<Candidate> start;
  start.reserve(ids.size());
  for (int32_t i = 0; i < n; ++i) {
    nodes[static_cast<size_t>(i)] = {i - 1, i + 1 < n ? i + 1 : -1};
    if (i + 1 == n) break;
    const int32_t left = ids[static_cast<size_t>(i)];
    const int32_t right = ids[static_cast<size_t>(i) + 1];
    if (const Found found = find(left, right); found.rank != kNone)
      start.push_back({found.rank, i, left, right, found.result});
  }
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue(std::greater<>{},
                                                                               std::move(start));
  const auto offer = [&](int32_t at) {
    if (at < 0) return;
    const int32_t next = nodes[static_cast<size_t>(at)].next;
    if (next < 0) return;
    const int32_t left = ids[static_cast<size_t>(at)];
    const int32_t right = ids[static_cast<size_t>(next)];
    if (const Found found = find(left, right); found.rank != kNone)
      queue.push({found.rank, at, left, right, found.result});
  };
  while (!queue.empty()) {
    const Candidate c = queue.top();
    queue.pop();
    const int32_t next = nodes[static_cast<size_t>(c.at)].next;
    if (ids[static_cast<size_t>(c.at)] != c.left || next < 0 ||
        ids[static_cast<size_t>(next)] != c.right)
      continue;
    ids[static_cast<size_t>(c.at)] = c.result;
    const int32_t after = nodes[static_cast<size_t>(next)].next;
    nodes[static_cast<size_t>(c.at)].next = after;
    if (after >= 0) nodes[static_cast<size_t>(after)].previous = c.at;
    ids[static_cast<size_t>(next)] = -1;  // gone
    offer(nodes[static_cast<size_t>(c.at)].previous);
    offer(c.at);
  }
  size_t kept = 0;
  for (const int32_t id : ids)
    if (id >= 0) ids[kept++] = id;
  ids.resize(kept);
}

}  // namespace plinth::text
