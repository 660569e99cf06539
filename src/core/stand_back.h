// Long work beside a server, such as tuning, stands back: its loops on any thread pool
// (core/threads.h) give way to those of others.
//
// While somebody is urgent, loops of threads that stand back wait: they begin, and go on from one
// range to the next, only when nobody is. What they compute is the same bit for bit: the same
// ranges, each computed once. They cost the urgent at most the ranges that are being computed right
// then.
#pragma once

namespace plinth {

// While it lives, the loops of its thread stand back.
class StandBack {
 public:
  // They use at most so many threads of a pool; 0: all of them.
  explicit StandBack(int threads_max = 0);
  ~StandBack();
  StandBack(const StandBack&) = delete;
  StandBack& operator=(const StandBack&) = delete;

 private:
  int before_;
};

// While one lives, somebody is urgent. Any thread.
class Urgent {
 public:
  Urgent();
  ~Urgent();
  Urgent(const Urgent&) = delete;
  Urgent& operator=(const Urgent&) = delete;
};

// Loops of threads that stand back, waiting or running right now.
int standing_back();

}  // namespace plinth
