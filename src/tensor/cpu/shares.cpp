#include "tensor/cpu/shares.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

#include "core/threads.h"

namespace plinth::tensor::cpu {
namespace {

constexpr int64_t kTasksOfThread = 4;

// Panels that the busiest thread gets when each takes the next `chunk` as soon as it can.
int64_t busiest(std::span<const int64_t> panels, int64_t chunk, int64_t rounds) {
  thread_local std::vector<int64_t> loads;  // a heap, the smallest first
  loads.assign(static_cast<size_t>(compute_pool().threads()), 0);
  int64_t most = 0;
  for (int64_t round = 0; round < rounds; ++round) {
    for (const int64_t count : panels) {
      for (int64_t at = 0; at < count; at += chunk) {
        std::ranges::pop_heap(loads, std::greater());
        loads.back() += std::min(chunk, count - at);
        most = std::max(most, loads.back());
        std::ranges::push_heap(loads, std::greater());
      }
    }
  }
  return most;
}

constexpr int64_t pieces_of(int64_t n, int64_t unit) {
  return (n + unit - 1) / unit;
}

}  // namespace

int64_t panels_of_task(std::span<const int64_t> panels, int64_t unit, int64_t least,
                       int64_t rounds) {
  const int64_t all = rounds * std::accumulate(panels.begin(), panels.end(), int64_t{0});
  int64_t best = unit;
  int64_t least_load = std::numeric_limits<int64_t>::max();
  for (int64_t cuts = kTasksOfThread; cuts > 0; --cuts) {
    const int64_t even = pieces_of(all, cuts * compute_pool().threads());
    const int64_t chunk = pieces_of(std::max({even, least, int64_t{1}}), unit) * unit;
    const int64_t load = busiest(panels, chunk, rounds);
    if (load >= least_load) continue;
    least_load = load;
    best = chunk;
    if (load == pieces_of(all, compute_pool().threads())) break;  // nobody waits
  }
  return best;
}

}  // namespace plinth::tensor::cpu
