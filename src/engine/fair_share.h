// Who is served next: virtual token counters. Each tenant has a counter of the tokens that were
// computed for it, generated ones counted twice; the one with the least comes first. Who comes
// after a pause is lifted to the others, less a small credit: a pause saves nothing up, and a short
// question after it goes before a flood.
//
// Source: Sheng et al., "Fairness in Serving Large Language Models", OSDI 2024.
//
// Plain numbers, no clock. Owned by the engine thread.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace plinth::engine {

class FairShare {
 public:
  // What a newcomer may be behind.
  static constexpr double kCredit = 2048;

  struct Waiting {
    const std::string* tenant = nullptr;
    int32_t priority = 0;  // among its tenant's own: the smaller goes first
    int64_t tokens = 0;    // that admitting it will cost
  };

  // Who has work now, running or waiting. Others are forgotten once they would be lifted anyway.
  void set_active(const std::vector<const std::string*>& tenants);

  void charge(const std::string& tenant, int64_t prompt_rows, int64_t answer_rows);

  // Well ahead of the least served of these: it stands back where they work.
  bool ahead_of(const std::string& tenant, const std::vector<const std::string*>& others) const;

  // The first `count` of a queue (the oldest first) in the order in which they are to be admitted.
  std::vector<size_t> order(std::span<const Waiting> queue, size_t count) const;

  double served(const std::string& tenant) const;

 private:
  std::map<std::string, double> served_;
  std::vector<std::string> active_;  // sorted
};

}  // namespace plinth::engine
