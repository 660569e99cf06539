// How much of the machine's time the engine leaves to threads that stand back (core/stand_back.h).
//
// They have what the engine doesn't need. Only where it has work all the time would they stand
// still: then it leaves them a share of its steps' time. What they had of late, because it had no
// work, counts towards that share. An engine that rests a tenth of each second never waits for
// them. One thread.
#pragma once

#include <algorithm>

namespace plinth::engine {

class TimeLeft {
 public:
  // Of the engine's time, at least. Answers take so much longer beside them where it never rests.
  static constexpr double kShare = 0.08;
  // Less at a time would go into waking up.
  static constexpr double kTurnMin_s = 0.002;
  // So much of the time that they had counts towards later turns, at most: six seconds of steps.
  static constexpr double kHad_s = 0.5;

  // The engine was at work for so long while others stood back. Returns the seconds to leave them
  // now, 0 for none.
  double owed_after(double step_s) {
    owed_s_ += kShare * step_s;
    return owed_s_ < kTurnMin_s ? 0 : owed_s_;
  }

  // They had the machine for so long, what waking up took included.
  void had(double seconds) { owed_s_ = std::max(owed_s_ - seconds, -kHad_s); }

  // Nobody stands back.
  void clear() { owed_s_ = 0; }

 private:
  double owed_s_ = 0;
};

}  // namespace plinth::engine
