// Answers batches in the background: every line of a batch's input goes through the same routes as
// a request over the network, billed to the key that started it and held to its tenant's quota.
//
// A batch is a row, and so is each answer: what was answered stays answered. After a crash or a
// stop another server goes on with the lines that have no answer: of several on one database one
// has the batch's lease. A line's usage has an id of its own in the ledger, so that a line which is
// answered twice is paid once.
//
// One thread of its own runs the batches, a few lines of each at a time: of each tenant the oldest.
// What has no answer when a batch's time is over never gets one.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "server/http.h"
#include "store/leases.h"
#include "store/store.h"

namespace plinth::server {

inline constexpr int64_t kBatchWindowMs = int64_t{24} * 3600 * 1000;  // a batch's time

class BatchRunner {
 public:
  // Answers a request as its key's.
  using Dispatch = std::function<void(const ExchangePtr&, const store::KeyInfo&)>;

  // With a database connection of its own: reading keys never waits for its commits. `leases`
  // outlive the runner.
  static Result<std::unique_ptr<BatchRunner>> create(const Path& home, store::Leases& leases);

  // stop().
  ~BatchRunner();
  BatchRunner(const BatchRunner&) = delete;
  BatchRunner& operator=(const BatchRunner&) = delete;

  void start(Dispatch dispatch);
  // Lets go of what is running: those lines are answered anew by the next server. Again: nothing.
  void stop();

  // There is a new batch, or one was cancelled. Any thread.
  void wake();

 private:
  class LineExchange;
  struct Running;

  BatchRunner(std::unique_ptr<store::Store> store, store::Leases& leases);

  void work();
  bool look();
  void take_up();
  std::unique_ptr<Running> open(const std::string& id, int64_t tenant_id);
  bool advance(Running& running, bool looks);
  void let_go(Running& running);
  void begin_line(Running& running, int64_t line);
  void take_reply(Running& running, int64_t line, const HttpResponse& response);
  Status finish(Running& running, std::string_view state);

  Status update(const store::Batch& batch) { return store_->update_batch(batch, leases_.server()); }

  // Runs what was posted; waits for some up to the time. False: stop.
  bool run_tasks(int wait_ms);
  void post(std::function<void()> task);
  void count_exchange(int by);

  std::unique_ptr<store::Store> store_;
  store::Leases& leases_;
  Dispatch dispatch_;
  std::vector<std::unique_ptr<Running>> running_;  // the runner's thread
  int64_t next_look_ms_ = 0;                       // the same
  std::mutex mutex_;                               // guards what follows
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  int exchanges_ = 0;  // alive: something may still post
  bool woken_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace plinth::server
