// How many rows a step may carry for tenants who have had more than others that are answered in it
// (guests): so many that the step takes not much longer than without them. A step of
// few rows is bound by reading the weights, so that some rows more cost next to nothing; how many
// depends on the machine, so it is found by trying: one row more after a step that was fast enough,
// fewer after one that was not. Now and then a step carries none, to know what one takes alone.
//
// Plain numbers, no clock. Owned by the engine thread.
#pragma once

#include <cstdint>

namespace plinth::engine {

class GuestRows {
 public:
  static constexpr double kLonger = 1.25;     // a step with guests, beside one alone
  static constexpr int64_t kAloneEvery = 16;  // steps

  // For the next step, in which guests wait.
  int64_t next();

  // What a step took that had rows of others than guests. Compares steps of the same kind only:
  // those in which nobody else's prompt was read.
  void took(double seconds, int64_t guest_rows);

 private:
  double rows_ = 4;
  double alone_s_ = 0;  // 0: not known
  int64_t steps_ = 0;
};

}  // namespace plinth::engine
