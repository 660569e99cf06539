#include "train/tuning/fused_pass.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "train/math/fused.h"
#include "train/math/row_invariant.h"

namespace plinth::train {
namespace {

// Parts of a kind take the same way through the tape.
std::pair<bool, bool> kind_of(const Part& part) {
  return {part.preference.has_value(), part.batch->anchored};
}

double loss_of_rows(const MicroBatch& batch, std::span<const float> losses) {
  double sum = 0;
  for (size_t r = 0; r < losses.size(); ++r) sum += double{batch.weights[r]} * double{losses[r]};
  return sum;
}

// Which parts go through the base together, in order: of one kind, one of each learner, and no more
// rows than fit.
std::vector<std::vector<size_t>> groups_of(std::span<const Part> parts, int64_t rows_max) {
  std::vector<size_t> order(parts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, {}, [&](size_t i) {
    return std::tuple(kind_of(parts[i]), parts[i].term, parts[i].member);
  });
  std::vector<std::vector<size_t>> groups;
  int64_t rows = 0;
  for (const size_t i : order) {
    const Part& part = parts[i];
    const bool joins = !groups.empty() && kind_of(parts[groups.back().front()]) == kind_of(part) &&
                       rows + part.batch->rows() <= rows_max &&
                       std::ranges::none_of(
                           groups.back(), [&](size_t j) { return parts[j].member == part.member; });
    if (!joins) {
      groups.emplace_back();
      rows = 0;
    }
    groups.back().push_back(i);
    rows += part.batch->rows();
  }
  return groups;
}

}  // namespace

FusedPass::FusedPass(const model::Model& model, std::vector<Learner*> learners, int64_t rows_max,
                     int64_t recomputed_layers)
    : learners_(std::move(learners)),
      rows_max_(rows_max),
      tape_(model, row_invariant_ops(), recomputed_layers) {}

bool FusedPass::gradients(std::span<const Part> parts,
                          const std::function<void(size_t, PartLoss)>& done,
                          const std::function<bool()>& stop) {
  for (const auto& together : groups_of(parts, rows_max_)) {
    if (stop()) return false;
    const auto losses = forward_backward(parts, together);
    for (size_t i = 0; i < together.size(); ++i) done(together[i], losses[i]);
  }
  return true;
}

std::vector<PartLoss> FusedPass::forward_backward(std::span<const Part> parts,
                                                  std::span<const size_t> together) {
  const Part& first = parts[together.front()];
  MicroBatch all;
  FusedAdapters adapters;
  FusedObjectives objectives;
  std::vector<PreferenceLoss> preferences;
  preferences.reserve(together.size());  // objectives point into it
  for (const size_t i : together) {
    const Part& part = parts[i];
    if (together.size() > 1) append_batch(*part.batch, all);
    adapters.append(learners_[static_cast<size_t>(part.member)]->trainable().adapter,
                    part.batch->rows());
    if (part.preference)
      objectives.append(&preferences.emplace_back(*part.preference), *part.batch);
  }
  const bool alone = together.size() == 1;
  const MicroBatch& batch = alone ? *first.batch : all;
  const Trainable trainable = alone ? learners_[static_cast<size_t>(first.member)]->trainable()
                                    : Trainable{.base = nullptr, .adapter = &adapters};
  tape_.forward_backward(batch, trainable, first.preference ? &objectives : nullptr);

  std::vector<PartLoss> losses;
  auto rows = tape_.row_losses();
  for (size_t i = 0; i < together.size(); ++i) {
    const MicroBatch& own = *parts[together[i]].batch;
    const auto n = static_cast<size_t>(own.rows());
    if (first.preference)
      losses.push_back(
          {objectives.values()[i], preferences[i].pairs(), preferences[i].preferred()});
    else
      losses.push_back({loss_of_rows(own, rows.first(n))});
    rows = rows.subspan(n);
  }
  return losses;
}

PartLoss FusedPass::loss(const Part& part) {
  auto* adapter = learners_[static_cast<size_t>(part.member)]->trainable().adapter;
  if (!part.preference) return {tape_.loss(*part.batch, adapter)};
  PreferenceLoss preference(*part.preference);
  const double value = tape_.loss(*part.batch, adapter, &preference);
  return {value, preference.pairs(), preference.preferred()};
}

}  // namespace plinth::train
