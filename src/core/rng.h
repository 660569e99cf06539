// A small counter-free generator whose whole state can be saved: xoshiro256**, seeded by
// SplitMix64. Source: Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators", 2021.
// Not for keys or tokens: those come from random_bytes() in hash.h.
#pragma once

#include <array>
#include <cstdint>

namespace plinth {

class Rng {
 public:
  using State = std::array<uint64_t, 4>;

  explicit Rng(uint64_t seed);

  explicit Rng(const State& state) : s_(state) {}

  uint64_t next();

  // Uniform in [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  // Uniform in [0, n), n >= 1.
  uint64_t below(uint64_t n);

  // Standard normal (Box-Muller, one of the pair kept out on purpose: no hidden state).
  double normal();

  const State& state() const { return s_; }

 private:
  State s_;
};

}  // namespace plinth
