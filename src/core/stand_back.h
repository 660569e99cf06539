// Long work beside a server, such as tuning, stands back: its loops on any thread pool
// (core/threads.h) give way to those of others.
//
// While somebody is urgent, loops of threads that stand back wait: they begin, and go on from one
// range to the next, only when nobody is. What they compute is the same bit for bit: the same
// ranges, each computed once. The urgent don't wait for a range that is being computed right then:
// it is finished by a worker of its own, whose priority is so low that the operating system runs it
// for a tenth of a core beside theirs.
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

// The calling thread yields to all others of the machine from now on; it can't take that back. For
// threads that only stand back: what they do between their loops should not disturb either.
void lower_priority();

}  // namespace plinth
