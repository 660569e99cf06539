#include "train/math/tree_sum.h"

#include <algorithm>
#include <bit>

#include "core/check.h"

namespace plinth::train {
namespace {

void add_to(std::span<float> sum, std::span<const float> more) {
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += more[i];
}

}  // namespace

void TreeSum::begin(int64_t terms) {
  PLINTH_CHECK(terms > 0, "a sum of {} terms", terms);
  for (auto& [node, sum] : sums_) spare_.push_back(std::move(sum));  // of one that was given up
  sums_.clear();
  terms_ = terms;
}

int64_t TreeSum::owner(Node node) const {
  return owner_of_term(node.second << node.first, terms_, ranks_);
}

tensor::Buffer TreeSum::take(Node node) {
  const auto found = sums_.find(node);
  PLINTH_CHECK(found != sums_.end(), "rank {} lacks node {} of level {}", rank_, node.second,
               node.first);
  auto sum = std::move(found->second);
  sums_.erase(found);
  return sum;
}

// Whatever can be added without the other ranks is.
void TreeSum::put(Node node, tensor::Buffer sum) {
  while ((int64_t{1} << node.first) < terms_) {
    const auto [level, index] = node;
    if (index % 2 == 1) {
      const auto left = sums_.find({level, index - 1});
      if (left == sums_.end()) break;
      add_to(left->second.span(), sum.span());
      spare_.push_back(std::move(sum));
      sum = take({level, index - 1});
    } else if ((index + 1) << level < terms_) {
      break;
    }
    node = {level + 1, index / 2};
  }
  sums_.emplace(node, std::move(sum));
}

void TreeSum::add(int64_t term, std::span<const float> values) {
  tensor::Buffer sum;
  if (!spare_.empty()) {
    sum = std::move(spare_.back());
    spare_.pop_back();
  }
  sum.resize(std::ssize(values));
  std::ranges::copy(values, sum.data());
  put({0, term}, std::move(sum));
}

Status TreeSum::combine(Node left, size_t floats, const SumTransport& transport) {
  const Node right = {left.first, left.second + 1};
  const int64_t to = owner(left);
  const int64_t from = owner(right);
  if (to == from) return {};
  if (rank_ == from) {
    auto sum = take(right);
    PLINTH_TRY(transport.send(sum.span(), to));
    spare_.push_back(std::move(sum));
  } else if (rank_ == to) {
    tensor::Buffer sum(static_cast<int64_t>(floats));
    PLINTH_TRY(transport.receive(sum.span(), from));
    put(right, std::move(sum));
  }
  return {};
}

Status TreeSum::finish(std::span<float> out, const SumTransport& transport) {
  int64_t level = 0;
  for (; int64_t{1} << level < terms_; ++level)
    for (int64_t index = 0; (index + 1) << level < terms_; index += 2)
      PLINTH_TRY(combine({level, index}, out.size(), transport));
  if (rank_ != 0) return {};
  auto sum = take({level, 0});
  std::ranges::copy(sum.span(), out.data());
  spare_.push_back(std::move(sum));
  return {};
}

int64_t TreeSum::vectors_max(int64_t terms) {
  // A partial sum a level, and the term that is being added.
  return static_cast<int64_t>(std::bit_width(static_cast<uint64_t>(terms - 1))) + 1;
}

}  // namespace plinth::train
