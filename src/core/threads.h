// The process has one compute pool; every kernel and every pipeline stage runs on it, so that two
// pools never fight for the same cores.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace plinth {

// A fixed set of workers that run one parallel loop at a time.
//
// parallel_for() may be called from any thread; calls from different threads queue up, a call from
// inside a loop body runs inline on that thread. The caller works too, so a pool of n threads
// starts n - 1 workers. Workers spin for some microseconds before they sleep: a training step is
// thousands of short loops.
class ThreadPool {
 public:
  // threads >= 1; 0 means one for each core the process may use.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  // Calls body(begin, end, worker) over disjoint ranges that cover [0, n). Ranges are multiples of
  // `grain` (but for the last one) and are handed out dynamically; worker is in [0, threads()).
  // Returns when all are done. body must not throw.
  void parallel_for(int64_t n, int64_t grain,
                    const std::function<void(int64_t begin, int64_t end, int worker)>& body);

 private:
  struct Loop;
  struct State;

  void work(int worker, const std::stop_token& stop);

  int threads_ = 1;
  std::mutex one_loop_;
  std::unique_ptr<State> state_;
  std::vector<std::jthread> workers_;
};

// The process-wide pool (PLINTH_THREADS in the environment sets its size, default: all cores).
ThreadPool& compute_pool();

// Cores this process may run on (its affinity mask).
int available_cores();

}  // namespace plinth
