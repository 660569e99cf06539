// A sum whose order is a binary tree over the numbers of its terms: ((0 + 1) + (2 + 3)) + (4 + 5).
// So it is the same, bit for bit, whoever computes which terms, and however many there are who do.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "core/result.h"
#include "tensor/tensor.h"

namespace plinth::train {

// Terms are spread over ranks in runs that follow each other, as evenly as can be.
inline int64_t owner_of_term(int64_t term, int64_t terms, int64_t ranks) {
  return term * ranks / terms;
}

// How partial sums travel from rank to rank. Calls come in one order that all ranks agree on.
struct SumTransport {
  std::function<Status(std::span<const float>, int64_t to)> send;
  std::function<Status(std::span<float>, int64_t from)> receive;
};

// One rank's part of one sum after another. Holds at most one vector for each level of the tree.
class TreeSum {
 public:
  TreeSum(int64_t rank = 0, int64_t ranks = 1) : rank_(rank), ranks_(ranks) {}

  // Begins a sum of `terms` >= 1 vectors of one size.
  void begin(int64_t terms);

  // One of this rank's terms; they come in ascending order.
  void add(int64_t term, std::span<const float> values);

  // Meets the other ranks. The sum is in `out` on rank 0, elsewhere nothing is.
  Status finish(std::span<float> out, const SumTransport& transport);

  // Vectors that a rank may hold at once for so many terms.
  static int64_t vectors_max(int64_t terms);

 private:
  using Node = std::pair<int64_t, int64_t>;  // level; index: terms [index << level, ...)

  int64_t owner(Node node) const;
  // The sum under a node, which then is forgotten.
  tensor::Buffer take(Node node);
  void put(Node node, tensor::Buffer sum);
  Status combine(Node left, size_t floats, const SumTransport& transport);

  int64_t rank_;
  int64_t ranks_;
  int64_t terms_ = 0;
  std::map<Node, tensor::Buffer> sums_;
  std::vector<tensor::Buffer> spare_;
};

}  // namespace plinth::train
