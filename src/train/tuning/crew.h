// Gradients and losses of micro-batches, from this process and its peers. Each micro-batch is
// computed whole by one process, and gradients are added in the order of a tree over their numbers:
// so a step's result is the same bits for any number of processes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/result.h"
#include "train/math/tree_sum.h"
#include "train/peers.h"
#include "train/tuning/fused_pass.h"

namespace plinth::train {

// One member's micro-batches of a step, or of a measurement.
struct Work {
  int64_t member = 0;  // an index into the learners
  std::span<const MicroBatch> batches;
  std::optional<PreferenceOptions> preference = {};
};

class Crew {
 public:
  // The learners outlive the crew, and so do `peers`, which may be null: this process alone. With
  // method "full" (`in_place`) gradients are added where they come up, which saves copies of the
  // base; such a crew is one process.
  Crew(FusedPass pass, std::vector<Learner*> learners, Peers* peers, bool in_place);

  // Rank 0. Leaves in each learner's gradients, which are zero before, the sum over its batches,
  // of which each work has one at least. Returns the loss of each work. kCancelled when `stop` says
  // so (asked between passes, with peers only at the beginning); all gradients are zero then.
  Result<std::vector<double>> gradients(std::span<const Work> works,
                                        const std::function<bool()>& stop);

  // Rank 0. The losses of a work's batches, added up.
  Result<PartLoss> losses(const Work& work);

  // The other ranks: computes what rank 0 hands out until it says that the run is over.
  Status assist();

  // Rank 0: lets the others go. No crew is needed on this side.
  static Status dismiss(Peers& peers);

  int64_t ranks() const { return peers_ == nullptr ? 1 : peers_->ranks(); }

 private:
  enum class Order : uint8_t { kGradients, kLosses, kOver };

  // What everybody must know of a work.
  struct Terms {
    int64_t member = 0;
    int64_t terms = 0;
    double strength = 1;
  };

  int64_t rank() const { return peers_ == nullptr ? 0 : peers_->rank(); }

  int64_t rank_of(int64_t member, int64_t term, int64_t terms) const;
  // Are gradients added up where they arise?
  bool direct(int64_t terms) const;
  std::vector<Terms> terms_of(std::span<const Work> works);
  std::vector<Part> parts_of(std::span<const Work> works, int64_t rank) const;
  Status hand_out(Order order, std::span<const Work> works);
  Status share_values(std::span<const Terms> works);
  Result<std::vector<PartLoss>> own_gradients(std::span<const Terms> works,
                                              std::span<const Part> parts,
                                              const std::function<bool()>& stop);
  std::vector<PartLoss> own_losses(std::span<const Part> parts);
  Status finish_sum(const Terms& work);
  Result<std::vector<PartLoss>> collect(std::span<const Work> works, std::vector<PartLoss> own);

  Learner& learner(int64_t member) { return *learners_[static_cast<size_t>(member)]; }

  FusedPass pass_;
  std::vector<Learner*> learners_;
  std::vector<TreeSum> sums_;  // of each learner
  Peers* peers_;
  bool in_place_;
};

}  // namespace plinth::train
