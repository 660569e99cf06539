#include "train/math/tree_sum.h"

#include <deque>
#include <set>
#include <tuple>

#include <gtest/gtest.h>

#include "core/rng.h"

namespace plinth::train {
namespace {

using Vector = std::vector<float>;

std::vector<Vector> random_terms(int64_t n) {
  Rng rng(static_cast<uint64_t>(n));
  std::vector<Vector> terms(static_cast<size_t>(n), Vector(5));
  for (auto& term : terms)
    for (float& value : term) value = static_cast<float>(rng.normal());
  return terms;
}

Vector sum_alone(const std::vector<Vector>& terms) {
  TreeSum sum;
  sum.begin(std::ssize(terms));
  for (size_t i = 0; i < terms.size(); ++i) sum.add(static_cast<int64_t>(i), terms[i]);
  Vector out(5);
  EXPECT_TRUE(sum.finish(out, {}));
  return out;
}

// Ranks one after the other, from the last: whoever sends does so before the other receives,
// because sums travel to lower ranks only.
Vector sum_by(const std::vector<Vector>& terms, int64_t ranks) {
  std::map<std::pair<int64_t, int64_t>, std::deque<Vector>> mail;
  Vector out(5);
  for (int64_t rank = ranks - 1; rank >= 0; --rank) {
    const SumTransport transport = {[&](std::span<const float> values, int64_t to) -> Status {
                                      EXPECT_LT(to, rank);
                                      mail[{rank, to}].emplace_back(values.begin(), values.end());
                                      return {};
                                    },
                                    [&](std::span<float> values, int64_t from) -> Status {
                                      auto& box = mail[{from, rank}];
                                      if (box.empty())
                                        return internal_error("rank {} waits for {}", rank, from);
                                      std::ranges::copy(box.front(), values.begin());
                                      box.pop_front();
                                      return {};
                                    }};
    TreeSum sum(rank, ranks);
    sum.begin(std::ssize(terms));
    for (int64_t i = 0; i < std::ssize(terms); ++i)
      if (owner_of_term(i, std::ssize(terms), ranks) == rank)
        sum.add(i, terms[static_cast<size_t>(i)]);
    const auto done = sum.finish(out, transport);
    EXPECT_TRUE(done) << done.error().message;
  }
  for (const auto& [way, box] : mail) EXPECT_TRUE(box.empty()) << way.first << "->" << way.second;
  return out;
}

TEST(TreeSum, AddsInTheOrderOfTheTree) {
  const auto t = random_terms(6);
  Vector want(5);
  for (size_t i = 0; i < 5; ++i)
    want[i] = ((t[0][i] + t[1][i]) + (t[2][i] + t[3][i])) + (t[4][i] + t[5][i]);
  EXPECT_EQ(sum_alone(t), want);
  const auto u = random_terms(3);
  for (size_t i = 0; i < 5; ++i) want[i] = (u[0][i] + u[1][i]) + u[2][i];
  EXPECT_EQ(sum_alone(u), want);
}

TEST(TreeSum, IsTheSameForAnyNumberOfRanks) {
  for (int64_t terms = 1; terms <= 21; ++terms) {
    const auto values = random_terms(terms);
    const auto alone = sum_alone(values);
    for (int64_t ranks = 2; ranks <= 9; ++ranks)
      EXPECT_EQ(sum_by(values, ranks), alone) << terms << " terms, " << ranks << " ranks";
  }
}

TEST(TreeSum, SpreadsTheTermsEvenly) {
  for (int64_t terms = 1; terms <= 21; ++terms)
    for (int64_t ranks = 1; ranks <= 9; ++ranks) {
      std::map<int64_t, int64_t> load;
      for (int64_t i = 0; i < terms; ++i) ++load[owner_of_term(i, terms, ranks)];
      for (const auto& [rank, n] : load) {
        EXPECT_LT(rank, ranks);
        EXPECT_LE(n, (terms + ranks - 1) / ranks) << terms << " over " << ranks;
      }
    }
}

TEST(TreeSum, BeginsAnewAfterASumThatWasGivenUp) {
  const auto values = random_terms(5);
  TreeSum sum;
  sum.begin(5);
  sum.add(0, values[0]);
  sum.add(1, values[1]);
  sum.begin(5);
  for (int64_t i = 0; i < 5; ++i) sum.add(i, values[static_cast<size_t>(i)]);
  Vector out(5);
  ASSERT_TRUE(sum.finish(out, {}));
  EXPECT_EQ(out, sum_alone(values));
}

}  // namespace
}  // namespace plinth::train
