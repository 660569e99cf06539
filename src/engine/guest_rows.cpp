#include "engine/guest_rows.h"

#include <algorithm>

namespace plinth::engine {
namespace {

constexpr double kRowsMax = 4096;
constexpr double kFewer = 0.8;
constexpr double kNewest = 0.3;  // weight of the newest measurement

}  // namespace

int64_t GuestRows::next() {
  if (alone_s_ == 0 || steps_++ % kAloneEvery == 0) return 0;
  return static_cast<int64_t>(rows_);
}

void GuestRows::took(double seconds, int64_t guest_rows) {
  if (guest_rows == 0) {
    alone_s_ = alone_s_ == 0 ? seconds : (1 - kNewest) * alone_s_ + kNewest * seconds;
    return;
  }
  if (alone_s_ == 0) return;
  const bool fine = seconds <= kLonger * alone_s_;
  // A step that had fewer than it might have says nothing of more.
  if (fine && guest_rows >= static_cast<int64_t>(rows_)) rows_ = std::min(kRowsMax, rows_ + 1);
  if (!fine) rows_ = std::max(1.0, rows_ * kFewer);
}

}  // namespace plinth::engine
