// Writes usage rows to the ledger from one thread: rows that arrive while a commit waits for the
// disk go together into the next one, so that many requests share an fsync.
//
// Has a database connection of its own: reading keys and aliases never waits for a commit.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/result.h"
#include "store/store.h"

namespace plinth::server {

class LedgerWriter {
 public:
  using Done = std::function<void(Status)>;

  static Result<std::unique_ptr<LedgerWriter>> start(const Path& home);

  // Writes what is queued, then ends.
  ~LedgerWriter();
  LedgerWriter(const LedgerWriter&) = delete;
  LedgerWriter& operator=(const LedgerWriter&) = delete;

  // `done` is called on the writer's thread when the row is durable, or with why it is not. One row
  // per running request, so the queue is bounded by the engine's. Any thread.
  void add(store::UsageRow row, Done done);

 private:
  struct Entry {
    store::UsageRow row;
    Done done;
  };

  explicit LedgerWriter(std::unique_ptr<store::Store> store);

  void work();

  std::unique_ptr<store::Store> store_;
  std::mutex mutex_;  // guards queue_ and ending_
  std::condition_variable changed_;
  std::vector<Entry> queue_;
  bool ending_ = false;
  std::jthread thread_;
};

}  // namespace plinth::server
