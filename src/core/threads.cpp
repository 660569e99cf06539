#include "core/threads.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <optional>
#include <utility>

#include "core/check.h"
#include "core/stand_back.h"

namespace plinth {
namespace {

thread_local int current_worker = -1;  // -1 outside of any loop
thread_local int stands_back = 0;      // 0: no; otherwise threads that its loops may use
std::atomic<int> urgent_count = 0;
std::atomic<int> standing_back_count = 0;

// About 20 us of spinning: longer than the gap between two kernels of a step, shorter than a
// scheduler tick.
constexpr int kSpins = 2000;

// Who stands back waits for its workers' last ranges without taking a core from anybody.
constexpr auto kNap = std::chrono::microseconds(50);

void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

struct ThreadPool::Loop {
  int64_t n = 0;
  int64_t grain = 1;
  const std::function<void(int64_t, int64_t, int)>* body = nullptr;
  std::atomic<int64_t> next{0};
  int threads_max = std::numeric_limits<int>::max();
  bool gives_way = false;  // takes no further range when somebody is urgent

  void run(int worker) {
    if (worker >= threads_max) return;
    current_worker = worker;
    while (!gives_way || urgent_count.load(std::memory_order_relaxed) == 0) {
      const int64_t begin = next.fetch_add(grain, std::memory_order_relaxed);
      if (begin >= n) break;
      (*body)(begin, std::min(begin + grain, n), worker);
    }
    current_worker = -1;
  }
};

struct ThreadPool::State {
  // Workers that carry out one loop at a time, beside the thread that opens it.
  //
  // All in sequential order, because two pairs rely on it. A worker raises `active`, then reads
  // `loop`; the opener clears `loop`, then waits for `active` to be zero: nobody is inside a loop
  // that is gone. A worker raises `sleepers`, then reads `generation`; the opener raises
  // `generation`, then reads `sleepers`: nobody sleeps through a loop. So a loop whose workers are
  // still spinning takes no lock.
  struct Crew {
    std::atomic<uint64_t> generation{0};  // loops opened
    std::atomic<Loop*> loop{nullptr};
    std::atomic<int> active{0};
    std::atomic<int> sleepers{0};
    std::mutex mutex;
    std::condition_variable wake;

    void announce() {
      generation.fetch_add(1);
      if (sleepers.load() == 0) return;
      const std::lock_guard lock(mutex);
      wake.notify_all();
    }

    void sleep_until_not(uint64_t seen) {
      std::unique_lock lock(mutex);
      sleepers.fetch_add(1);
      wake.wait(lock, [&] { return generation.load() != seen; });
      sleepers.fetch_sub(1);
    }

    void work(int worker, const std::stop_token& stop) {
      uint64_t seen = 0;
      while (!stop.stop_requested()) {
        for (int spin = 0; spin < kSpins && generation.load() == seen; ++spin) relax();
        if (generation.load() == seen) sleep_until_not(seen);
        seen = generation.load();
        active.fetch_add(1);
        if (Loop* opened = loop.load()) opened->run(worker);
        active.fetch_sub(1);
      }
    }

    // With the caller, as worker 0. Returns when no range is being computed any more.
    void carry_out(Loop& opened) {
      loop.store(&opened);
      announce();
      opened.run(0);
      loop.store(nullptr);
      for (int spin = 0; active.load() != 0; ++spin) {
        if (opened.gives_way && spin >= kSpins)
          std::this_thread::sleep_for(kNap);
        else
          relax();
      }
    }
  };

  // The pool's own.
  Crew crew;
  // Loops that stand back have workers of a low priority, started with the first such loop:
  // whoever is urgent waits for no range that they compute.
  Crew behind;
  std::once_flag behind_once;
  // Those loops take turns in the order of their coming, so that two jobs get on alike.
  std::atomic<uint32_t> turns_taken = 0;
  std::atomic<uint32_t> turn = 0;
  std::vector<std::jthread> behind_workers;

  ~State() {
    for (auto& worker : behind_workers) worker.request_stop();
    behind.announce();
    behind_workers.clear();
  }

  void start_behind(int threads) {
    for (int worker = 1; worker < threads; ++worker)
      behind_workers.emplace_back([this, worker](const std::stop_token& stop) {
        lower_priority();
        behind.work(worker, stop);
      });
  }
};

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  threads_ = threads > 0 ? threads : available_cores();
  for (int worker = 1; worker < threads_; ++worker)
    workers_.emplace_back([this, worker](const std::stop_token& stop) { work(worker, stop); });
}

ThreadPool::~ThreadPool() {
  for (auto& worker : workers_) worker.request_stop();
  state_->crew.announce();
  workers_.clear();
}

void ThreadPool::work(int worker, const std::stop_token& stop) {
  state_->crew.work(worker, stop);
}

void ThreadPool::parallel_for(int64_t n, int64_t grain,
                              const std::function<void(int64_t, int64_t, int)>& body) {
  PLINTH_CHECK(grain > 0, "grain {}", grain);
  if (n <= 0) return;
  const bool gives_way = current_worker < 0 && stands_back > 0;
  if (!gives_way && (current_worker >= 0 || threads_ == 1 || n <= grain)) {
    // Inline. Inside a loop the worker's own number is passed on, so that its scratch stays its
    // own. A single range outside of any loop takes no number that a concurrent loop could be
    // using: the caller is not one of its workers, so it queues up like the others.
    std::unique_lock only(one_loop_, std::defer_lock);
    const int outer = current_worker;
    if (outer < 0) {
      only.lock();
      current_worker = 0;
    }
    for (int64_t begin = 0; begin < n; begin += grain)
      body(begin, std::min(begin + grain, n), current_worker);
    current_worker = outer;
    return;
  }
  if (!gives_way) {
    const std::lock_guard only(one_loop_);
    // Whoever doesn't stand back goes first, urgent or not.
    std::optional<Urgent> first;
    if (standing_back() > 0) first.emplace();
    Loop loop;
    loop.n = n;
    loop.grain = grain;
    loop.body = &body;
    state_->crew.carry_out(loop);
    return;
  }
  State& state = *state_;
  std::call_once(state.behind_once, [&] { state.start_behind(threads_); });
  standing_back_count.fetch_add(1);
  const uint32_t turn = state.turns_taken.fetch_add(1);
  for (uint32_t now = state.turn.load(); now != turn; now = state.turn.load()) state.turn.wait(now);
  for (int64_t next = 0; next < n;) {
    for (int urgent = urgent_count.load(); urgent != 0; urgent = urgent_count.load())
      urgent_count.wait(urgent);
    Loop loop;
    loop.n = n;
    loop.grain = grain;
    loop.body = &body;
    loop.next = next;
    loop.gives_way = true;
    loop.threads_max = stands_back;
    state.behind.carry_out(loop);
    // Ranges are taken in order and one that was taken is computed: what lies before is done.
    next = std::min(n, loop.next.load());
  }
  state.turn.fetch_add(1);
  state.turn.notify_all();
  standing_back_count.fetch_sub(1);
}

StandBack::StandBack(int threads_max) : before_(stands_back) {
  stands_back = threads_max > 0 ? threads_max : std::numeric_limits<int>::max();
}

StandBack::~StandBack() {
  stands_back = before_;
}

Urgent::Urgent() {
  urgent_count.fetch_add(1);
}

Urgent::~Urgent() {
  if (urgent_count.fetch_sub(1) == 1) urgent_count.notify_all();
}

int standing_back() {
  return standing_back_count.load();
}

// On Linux a thread has a nice value of its own. With 10 it gets a tenth of a core that somebody
// else wants, too. With 19, or as SCHED_IDLE, it hardly moves beside other programs' work, and a
// job has to end.
void lower_priority() {
  constexpr int kNice = 10;
  const auto thread = static_cast<id_t>(::syscall(SYS_gettid));
  (void)::setpriority(PRIO_PROCESS, thread, kNice);  // not allowed: it stays as it was
}

int available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

ThreadPool& compute_pool() {
  static ThreadPool pool([] {
    const char* text = std::getenv("PLINTH_THREADS");
    return text == nullptr ? 0 : std::clamp(std::atoi(text), 0, 1024);
  }());
  return pool;
}

}  // namespace plinth
