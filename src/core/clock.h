// Time comes in through this seam, so that a test can replay a day.
#pragma once

#include <cstdint>
#include <string>

namespace plinth {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t monotonic_ns() const = 0;  // only differences mean anything
  virtual int64_t unix_ms() const = 0;       // wall clock, UTC
};

const Clock& system_clock();

// "2026-11-23T21:30:00Z"
std::string iso_time(int64_t unix_ms);

// Seconds since construction, by the monotonic clock.
class Stopwatch {
 public:
  explicit Stopwatch(const Clock& clock = system_clock())
      : clock_(&clock), start_ns_(clock.monotonic_ns()) {}

  double seconds() const { return static_cast<double>(clock_->monotonic_ns() - start_ns_) * 1e-9; }

 private:
  const Clock* clock_;  // outlives every stopwatch: clocks live as long as their test or process
  int64_t start_ns_;
};

}  // namespace plinth
