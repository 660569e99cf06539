#include "train/tuning/crew.h"

#include <algorithm>

#include "core/check.h"
#include "train/tuning/wire.h"

namespace plinth::train {
Crew::Crew(FusedPass pass, std::vector<Learner*> learners, Peers* peers, bool in_place)
    : pass_(std::move(pass)), learners_(std::move(learners)), peers_(peers), in_place_(in_place) {
  PLINTH_CHECK(!in_place || ranks() == 1, "gradients added in place by {} processes", ranks());
  // Each member's terms begin at another rank, so that members of one micro-batch spread, too.
  for (int64_t i = 0; i < std::ssize(learners_); ++i)
    sums_.emplace_back((rank() + ranks() - i % ranks()) % ranks(), ranks());
}

// The rank that computes a micro-batch.
int64_t Crew::rank_of(int64_t member, int64_t term, int64_t terms) const {
  return (owner_of_term(term, terms, ranks()) + member) % ranks();
}

std::vector<Part> Crew::parts_of(std::span<const Work> works, int64_t rank) const {
  std::vector<Part> parts;
  for (const auto& work : works) {
    const auto terms = std::ssize(work.batches);
    for (int64_t term = 0; term < terms; ++term)
      if (rank_of(work.member, term, terms) == rank)
        parts.push_back(
            {work.member, term, &work.batches[static_cast<size_t>(term)], work.preference});
  }
  return parts;
}

std::vector<Crew::Terms> Crew::terms_of(std::span<const Work> works) {
  std::vector<Terms> terms;
  for (const auto& work : works)
    terms.push_back({work.member, std::ssize(work.batches), learner(work.member).strength()});
  return terms;
}

Status Crew::hand_out(Order order, std::span<const Work> works) {
  const auto terms = terms_of(works);
  for (int64_t to = 1; to < ranks(); ++to) {
    Writer message;
    message.put(order);
    message.put_all(std::span<const Terms>(terms));
    const auto parts = parts_of(works, to);
    message.put(parts.size());
    for (const auto& part : parts) {
      message.put(part.member);
      message.put(part.term);
      message.put(part.preference.has_value());
      message.put(part.preference.value_or(PreferenceOptions()));
      message.put_batch(*part.batch);
    }
    PLINTH_TRY(send_message(*peers_, message.bytes(), to));
  }
  return {};
}

// What the members have learnt so far, from rank 0 to all.
Status Crew::share_values(std::span<const Terms> works) {
  if (ranks() == 1) return {};
  for (const auto& work : works)
    PLINTH_TRY(
        broadcast(*peers_, std::as_writable_bytes(learner(work.member).parameters().values())));
  return {};
}

bool Crew::direct(int64_t terms) const {
  return in_place_ || (ranks() == 1 && terms == 1);
}

Result<std::vector<PartLoss>> Crew::own_gradients(std::span<const Terms> works,
                                                  std::span<const Part> parts,
                                                  const std::function<bool()>& stop) {
  std::vector<bool> directly(learners_.size());
  for (const auto& work : works) {
    const auto member = static_cast<size_t>(work.member);
    directly[member] = direct(work.terms);
    if (!directly[member]) sums_[member].begin(work.terms);
  }
  std::vector<PartLoss> losses(parts.size());
  const auto done = [&](size_t i, PartLoss loss) {
    losses[i] = loss;
    const auto member = static_cast<size_t>(parts[i].member);
    if (directly[member]) return;
    const auto gradients = learners_[member]->parameters().gradients();
    sums_[member].add(parts[i].term, gradients);
    std::ranges::fill(gradients, 0.0f);
  };
  if (!pass_.gradients(parts, done, stop)) {
    for (const auto& work : works)
      std::ranges::fill(learner(work.member).parameters().gradients(), 0.0f);
    return make_error(Code::kCancelled, "stopped inside a step");
  }
  for (const auto& work : works)
    if (!direct(work.terms)) PLINTH_TRY(finish_sum(work));
  return losses;
}

// The sum over all ranks comes up on the one with the first term, and goes on to rank 0.
Status Crew::finish_sum(const Terms& work) {
  const auto member = static_cast<size_t>(work.member);
  const int64_t first = work.member % ranks();
  const auto gradients = learners_[member]->parameters().gradients();
  const auto rank_at = [&](int64_t place) { return (place + first) % ranks(); };
  PLINTH_TRY(sums_[member].finish(
      gradients, {[&](std::span<const float> sum, int64_t to) {
                    return peers_->send(std::as_bytes(sum), rank_at(to));
                  },
                  [&](std::span<float> sum, int64_t from) {
                    return peers_->receive(std::as_writable_bytes(sum), rank_at(from));
                  }}));
  if (first == 0) return {};
  if (rank() == 0) return peers_->receive(std::as_writable_bytes(gradients), first);
  if (rank() == first) {
    PLINTH_TRY(peers_->send(std::as_bytes(gradients), 0));
    std::ranges::fill(gradients, 0.0f);
  }
  return {};
}

std::vector<PartLoss> Crew::own_losses(std::span<const Part> parts) {
  std::vector<PartLoss> losses;
  losses.reserve(parts.size());
  for (const auto& part : parts) losses.push_back(pass_.loss(part));
  return losses;
}

// Everybody's losses, by work and term.
Result<std::vector<PartLoss>> Crew::collect(std::span<const Work> works,
                                            std::vector<PartLoss> own) {
  std::vector<std::vector<PartLoss>> by_rank = {std::move(own)};
  for (int64_t from = 1; from < ranks(); ++from) {
    auto& losses = by_rank.emplace_back(parts_of(works, from).size());
    if (!losses.empty())
      PLINTH_TRY(peers_->receive(std::as_writable_bytes(std::span(losses)), from));
  }
  std::vector<size_t> next(by_rank.size());
  std::vector<PartLoss> all;
  for (const auto& work : works) {
    const auto terms = std::ssize(work.batches);
    for (int64_t term = 0; term < terms; ++term) {
      const auto rank = static_cast<size_t>(rank_of(work.member, term, terms));
      all.push_back(by_rank[rank][next[rank]++]);
    }
  }
  return all;
}

Result<std::vector<double>> Crew::gradients(std::span<const Work> works,
                                            const std::function<bool()>& stop) {
  if (stop()) return make_error(Code::kCancelled, "stopped before a step");
  PLINTH_TRY(hand_out(Order::kGradients, works));
  const auto terms = terms_of(works);
  PLINTH_TRY(share_values(terms));
  const auto never = [] { return false; };
  PLINTH_TRY(auto own, own_gradients(terms, parts_of(works, 0),
                                     ranks() == 1 ? stop : std::function<bool()>(never)));
  PLINTH_TRY(const auto all, collect(works, std::move(own)));
  std::vector<double> sums;
  auto next = all.begin();
  for (const auto& work : works) {
    double& sum = sums.emplace_back(0);
    for (size_t i = 0; i < work.batches.size(); ++i) sum += (next++)->loss;
  }
  return sums;
}

Result<PartLoss> Crew::losses(const Work& work) {
  const std::span works(&work, 1);
  PLINTH_TRY(hand_out(Order::kLosses, works));
  PLINTH_TRY(share_values(terms_of(works)));
  PLINTH_TRY(const auto all, collect(works, own_losses(parts_of(works, 0))));
  PartLoss sum;
  for (const auto& part : all) {
    sum.loss += part.loss;
    sum.pairs += part.pairs;
    sum.preferred += part.preferred;
  }
  return sum;
}

Status Crew::assist() {
  for (;;) {
    PLINTH_TRY(auto message, receive_message(*peers_, 0));
    const auto order = message.take<Order>();
    const auto works = message.take_all<Terms>();
    if (order == Order::kOver) return {};
    for (const auto& work : works) learner(work.member).set_strength(work.strength);
    std::vector<Part> parts(message.take<size_t>());
    std::vector<MicroBatch> batches(parts.size());
    for (size_t i = 0; i < parts.size(); ++i) {
      parts[i].member = message.take<int64_t>();
      parts[i].term = message.take<int64_t>();
      const bool pairs = message.take<bool>();
      const auto preference = message.take<PreferenceOptions>();
      if (pairs) parts[i].preference = preference;
      batches[i] = message.take_batch();
      parts[i].batch = &batches[i];
    }
    PLINTH_TRY(share_values(works));
    std::vector<PartLoss> losses;
    if (order == Order::kGradients) {
      PLINTH_TRY(losses, own_gradients(works, parts, [] { return false; }));
    } else {
      losses = own_losses(parts);
    }
    if (!losses.empty()) PLINTH_TRY(peers_->send(std::as_bytes(std::span(losses)), 0));
  }
}

Status Crew::dismiss(Peers& peers) {
  Writer message;
  message.put(Order::kOver);
  message.put_all(std::span<const Terms>());
  for (int64_t to = 1; to < peers.ranks(); ++to)
    PLINTH_TRY(send_message(peers, message.bytes(), to));
  return {};
}

}  // namespace plinth::train
