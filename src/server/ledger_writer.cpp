#include "server/ledger_writer.h"

#include <chrono>
#include <utility>

#include "core/clock.h"
#include "core/log.h"

namespace plinth::server {
namespace {

// A database that restarts or fails over is waited for: the answers are made, and end when their
// rows are written. Rows that were written before the connection was lost are not written twice.
constexpr double kPatienceS = 10;
constexpr auto kPause = std::chrono::milliseconds(100);

bool away(const Status& status) {
  return !status && status.error().code == Code::kUnavailable;
}

}  // namespace

Result<std::unique_ptr<LedgerWriter>> LedgerWriter::start(const Path& home) {
  PLINTH_TRY(auto store, store::Store::open(home));
  return std::unique_ptr<LedgerWriter>(new LedgerWriter(std::move(store)));
}

LedgerWriter::LedgerWriter(std::unique_ptr<store::Store> store)
    : store_(std::move(store)), thread_([this] { work(); }) {}

LedgerWriter::~LedgerWriter() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
}

void LedgerWriter::add(store::UsageRow row, Done done) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back({std::move(row), std::move(done)});
  }
  changed_.notify_all();
}

void LedgerWriter::work() {
  while (true) {
    std::vector<Entry> batch;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
      if (queue_.empty()) return;
      batch.swap(queue_);
    }
    std::vector<store::UsageRow> rows;
    for (const Entry& entry : batch) rows.push_back(entry.row);
    const Stopwatch waited;
    Status written = store_->add_usage(rows);
    if (away(written))
      log_warn("the usage of {} answers waits: {}", rows.size(), written.error().message);
    while (away(written) && waited.seconds() < kPatienceS) {
      std::this_thread::sleep_for(kPause);
      written = store_->add_usage(rows);
    }
    if (!written)
      log_error("the usage of {} answers was not written: {}", rows.size(),
                written.error().message);
    if (!written && !away(written) && batch.size() > 1) {
      // One bad row must not take the others with it.
      for (Entry& entry : batch) entry.done(store_->add_usage({entry.row}));
      continue;
    }
    for (Entry& entry : batch) entry.done(written);
  }
}

}  // namespace plinth::server
