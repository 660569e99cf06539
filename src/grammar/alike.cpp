// Partition refinement in rounds. Before the first, nodes are in one class when both accept or
// neither does; a round keeps two in one class when their arcs also lead to the same classes. After
// n rounds a class holds nodes that are alike up to n bytes, since an arc reads a byte or more.
#include "grammar/alike.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "grammar/interner.h"

namespace plinth::grammar {
namespace {

constexpr size_t kArcsMax = 10'000'000;  // looked at, in all rounds

class Refinement {
 public:
  explicit Refinement(const Network& network)
      : network_(network),
        nodes_(network.nodes.size() - 1),
        class_of_(nodes_),
        members_(2),
        marked_(nodes_) {
    for (size_t v = 0; v < nodes_; ++v) {
      class_of_[v] = network.nodes[v].accepts ? 1 : 0;
      ++members_[static_cast<size_t>(class_of_[v])];
    }
    find_sources();
    touched_.resize(nodes_);
    std::iota(touched_.begin(), touched_.end(), 0);
  }

  bool exhausted() const { return arcs_ > kArcsMax; }

  // One byte more. Looks only at nodes with an arc to one whose class is new: all else has stayed.
  void round() {
    struct Place {
      int32_t of_class, signature, node;
      auto operator<=>(const Place&) const = default;
    };

    Interner signatures;
    std::vector<Place> places;
    for (const int32_t node : touched_)
      if (const int32_t c = class_of_[static_cast<size_t>(node)];
          members_[static_cast<size_t>(c)] > 1)
        places.push_back({c, signatures.id_of(signature(node)), node});
    std::ranges::sort(places);

    std::vector<int32_t> moved;
    for (size_t begin = 0; begin < places.size();) {
      const int32_t of_class = places[begin].of_class;
      std::vector<std::pair<size_t, size_t>> groups;  // of one signature
      size_t end = begin;
      while (end < places.size() && places[end].of_class == of_class) {
        const size_t first = end;
        while (end < places.size() && places[end].of_class == of_class &&
               places[end].signature == places[first].signature)
          ++end;
        groups.emplace_back(first, end);
      }
      // Those that were not touched keep the class (no touched one has their signature, which names
      // no new class); else the largest group does.
      const bool all = end - begin == static_cast<size_t>(members_[static_cast<size_t>(of_class)]);
      const auto larger = [](const auto& a, const auto& b) {
        return a.second - a.first < b.second - b.first;
      };
      if (all) groups.erase(std::ranges::max_element(groups, larger));
      for (const auto& [first, last] : groups) {
        const auto fresh = static_cast<int32_t>(members_.size());
        members_.push_back(static_cast<int32_t>(last - first));
        members_[static_cast<size_t>(of_class)] -= members_.back();
        for (size_t i = first; i < last; ++i) {
          class_of_[static_cast<size_t>(places[i].node)] = fresh;
          moved.push_back(places[i].node);
        }
      }
      begin = end;
    }
    touch_sources(moved);
  }

  // The first node of each node's class.
  std::vector<int32_t> firsts() const {
    std::vector<int32_t> first_of(members_.size(), -1), out(nodes_);
    for (size_t v = 0; v < nodes_; ++v) {
      int32_t& first = first_of[static_cast<size_t>(class_of_[v])];
      if (first < 0) first = static_cast<int32_t>(v);
      out[v] = first;
    }
    return out;
  }

 private:
  template <typename Do>
  void each_target(size_t node, Do&& act) const {
    const auto v = static_cast<int32_t>(node);
    for (const Edge& edge : network_.edges_of(v)) act(static_cast<size_t>(edge.to));
    for (const Call& call : network_.calls_of(v)) act(static_cast<size_t>(call.to));
  }

  void find_sources() {
    source_begin_.resize(nodes_ + 1);
    for (size_t v = 0; v < nodes_; ++v) each_target(v, [&](size_t to) { ++source_begin_[to + 1]; });
    std::partial_sum(source_begin_.begin(), source_begin_.end(), source_begin_.begin());
    sources_.resize(source_begin_.back());
    std::vector<size_t> filled(source_begin_.begin(), source_begin_.end() - 1);
    for (size_t v = 0; v < nodes_; ++v)
      each_target(v, [&](size_t to) { sources_[filled[to]++] = static_cast<int32_t>(v); });
  }

  void touch_sources(std::span<const int32_t> moved) {
    touched_.clear();
    for (const int32_t node : moved)
      for (size_t i = source_begin_[static_cast<size_t>(node)];
           i < source_begin_[static_cast<size_t>(node) + 1]; ++i)
        if (!std::exchange(marked_[static_cast<size_t>(sources_[i])], 1))
          touched_.push_back(sources_[i]);
    for (const int32_t node : touched_) marked_[static_cast<size_t>(node)] = 0;
  }

  // What is read and the class that it leads to, each pair once. Rules are numbered behind the
  // 65,536 ranges of bytes.
  std::span<const int32_t> signature(int32_t node) {
    pairs_.clear();
    const auto class_of = [&](int32_t to) { return class_of_[static_cast<size_t>(to)]; };
    for (const Edge& edge : network_.edges_of(node))
      pairs_.emplace_back(edge.first << 8 | edge.last, class_of(edge.to));
    for (const Call& call : network_.calls_of(node))
      pairs_.emplace_back(0x10000 + call.rule, class_of(call.to));
    arcs_ += pairs_.size() + 1;
    std::ranges::sort(pairs_);
    pairs_.erase(std::unique(pairs_.begin(), pairs_.end()), pairs_.end());
    list_.clear();
    for (const auto& [read, to] : pairs_) list_.insert(list_.end(), {read, to});
    return list_;
  }

  const Network& network_;
  size_t nodes_;
  std::vector<int32_t> class_of_;  // by node
  std::vector<int32_t> members_;   // by class
  std::vector<int32_t> touched_;   // nodes whose signature may be new
  std::vector<char> marked_;
  std::vector<size_t> source_begin_;  // by node: the first of its sources
  std::vector<int32_t> sources_;      // nodes with an arc to it
  std::vector<std::pair<int32_t, int32_t>> pairs_;
  std::vector<int32_t> list_;
  size_t arcs_ = 0;
};

}  // namespace

std::vector<std::vector<int32_t>> find_alike(const Network& network, std::span<const int> lengths) {
  std::vector<std::vector<int32_t>> out;
  Refinement refinement(network);
  int done = 0;
  for (const int length : lengths) {
    for (; done < length && !refinement.exhausted(); ++done) refinement.round();
    if (done < length) {
      out.emplace_back(network.nodes.size() - 1);
      std::iota(out.back().begin(), out.back().end(), 0);
    } else {
      out.push_back(refinement.firsts());
    }
  }
  return out;
}

}  // namespace plinth::grammar
