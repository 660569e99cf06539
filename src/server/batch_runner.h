// Answers batches in the background: every line of a batch's input goes through the same routes as
// a request over the network, billed to the key that started it and held to its tenant's quota.
//
// A batch is a row, and so is each answer: what was answered stays answered. After a crash or a
// stop another server goes on with the lines that have no answer: of several on one database one
// has the batch's lease. A line's usage has an id of its own in the ledger, so that a line which is
// answered twice is paid once.
//
// One thread of its own runs the batches, the oldest first, a few lines at a time.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "server/http.h"
#include "store/leases.h"
#include "store/store.h"

namespace plinth::server {

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

  BatchRunner(std::unique_ptr<store::Store> store, store::Leases& leases)
      : store_(std::move(store)), leases_(leases) {}

  void work();
  void run(const std::string& id, int64_t tenant_id);
  Status run_lines(store::Batch& batch, const std::vector<std::string_view>& lines);
  void begin_line(Running& running, int64_t line);
  void take_reply(Running& running, int64_t line, const HttpResponse& response);
  Status finish(store::Batch& batch, bool cancelled);

  Status update(const store::Batch& batch) { return store_->update_batch(batch, leases_.server()); }

  // Runs what was posted; waits for some up to the time. False: stop.
  bool run_tasks(int wait_ms);
  void post(std::function<void()> task);
  void count_exchange(int by);

  std::unique_ptr<store::Store> store_;
  store::Leases& leases_;
  Dispatch dispatch_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  int exchanges_ = 0;  // alive: something may still post
  bool woken_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace plinth::server
