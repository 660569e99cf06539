#include "engine/adapter_pool.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/check.h"
#include "tensor/quant/panels.h"

namespace plinth::engine {

struct AdapterPool::Entry {
  AdapterSourcePtr source;
  int64_t pins = 0;
  std::shared_ptr<const model::Adapter> adapter = {};  // null: not loaded
  int64_t bytes = 0;  // of the adapter; known once it was opened, 0 before
  std::optional<Error> error = {};
  std::list<std::shared_ptr<Entry>>::iterator idle = {};  // in idle_ when loaded and not pinned
};

int64_t adapter_bytes(const model::Adapter& adapter) {
  int64_t bytes = 0;
  for (const model::LowRank* delta : model::delta_places(adapter))
    for (const tensor::Weight& matrix : {delta->a, delta->b})
      if (!delta->empty())
        bytes += static_cast<int64_t>(tensor::interleaved_bytes(
            matrix.type, matrix.rows, matrix.cols, std::max(1, matrix.panel)));
  return bytes;
}

AdapterPool::AdapterPool(int64_t budget_bytes, Prepare prepare, std::function<void()> changed)
    : prepare_(std::move(prepare)), changed_(std::move(changed)) {
  stats_.budget_bytes = budget_bytes;
  thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

AdapterPool::~AdapterPool() {
  thread_.request_stop();
  thread_.join();
  for (const auto& [digest, entry] : entries_)
    PLINTH_CHECK(entry->pins == 0, "adapter {} is still pinned", entry->source->name);
}

Result<AdapterSourcePtr> AdapterPool::add(AdapterSource source) {
  if (source.name.empty()) return invalid("an adapter without a name");
  if (source.digest.empty()) return invalid("adapter {}: no digest", source.name);
  if (!source.open) return invalid("adapter {}: no way to open it", source.name);
  auto shared = std::make_shared<const AdapterSource>(std::move(source));
  const std::lock_guard lock(mutex_);
  names_.insert_or_assign(shared->name, shared);
  return shared;
}

Result<AdapterSourcePtr> AdapterPool::find(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(name);
  if (found == names_.end()) return not_found("adapter {} is not registered", name);
  return found->second;
}

void AdapterPool::remove(std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (const auto found = names_.find(name); found != names_.end()) names_.erase(found);
}

AdapterPool::Pin AdapterPool::pin(const AdapterSourcePtr& source) {
  const std::lock_guard lock(mutex_);
  EntryPtr& entry = entries_[source->digest];
  // A failure is for those who waited for it; the next one tries again, with an entry of its own.
  if (entry == nullptr || entry->error) {
    entry = std::make_shared<Entry>();
    entry->source = source;
    wanted_.push_back(entry);
    wake_.notify_all();
  } else if (entry->pins == 0) {
    idle_.erase(entry->idle);
  }
  ++entry->pins;
  return {this, entry};
}

void AdapterPool::unpin(const EntryPtr& entry) {
  const std::lock_guard lock(mutex_);
  PLINTH_CHECK(entry->pins > 0, "adapter {} is unpinned twice", entry->source->name);
  if (--entry->pins > 0) return;
  if (entry->adapter != nullptr) {
    entry->idle = idle_.insert(idle_.end(), entry);
    wake_.notify_all();  // there may be room now
    return;
  }
  // Nobody waits for it any more. One that is being opened right now is seen to by load().
  std::erase(wanted_, entry);
  wake_.notify_all();  // the next one may need less room
  if (const auto found = entries_.find(entry->source->digest);
      found != entries_.end() && found->second == entry)
    entries_.erase(found);
}

void AdapterPool::work(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (true) {
    // Strictly in order: a large one at the front is not starved by small ones behind it.
    wake_.wait(lock, stop, [this] { return !wanted_.empty() && make_room(wanted_[0]->bytes); });
    if (stop.stop_requested()) return;
    const EntryPtr entry = wanted_.front();
    wanted_.pop_front();
    load(lock, entry);
  }
}

// Lets go of what is unused until `bytes` more fit. False: too much is pinned.
bool AdapterPool::make_room(int64_t bytes) {
  while (stats_.resident_bytes + bytes > stats_.budget_bytes) {
    if (idle_.empty()) return false;
    const EntryPtr oldest = idle_.front();
    idle_.pop_front();
    entries_.erase(oldest->source->digest);
    stats_.resident_bytes -= oldest->bytes;
    --stats_.resident;
    ++stats_.evictions;
  }
  return true;
}

void AdapterPool::load(std::unique_lock<std::mutex>& lock, const EntryPtr& entry) {
  lock.unlock();
  auto opened = entry->source->open();
  if (opened) opened = prepare_(**opened);
  std::shared_ptr<model::Adapter> adapter;
  if (opened) {
    adapter = std::make_shared<model::Adapter>(**opened);
    adapter->digest = entry->source->digest;
  }
  lock.lock();

  if (entry->pins == 0) return;  // cancelled meanwhile: the entry is gone already
  if (!opened) {
    fail(entry, {opened.error().code,
                 fmt::format("adapter {}: {}", entry->source->name, opened.error().message)});
  } else if (entry->bytes = adapter_bytes(*adapter); entry->bytes > stats_.budget_bytes) {
    fail(entry, exhausted("adapter {}: {} bytes, the budget of all adapters is {}",
                          entry->source->name, entry->bytes, stats_.budget_bytes));
  } else if (!make_room(entry->bytes)) {
    wanted_.push_front(entry);  // again when pins have ended, now that its size is known
    return;
  } else {
    entry->adapter = std::move(adapter);
    stats_.resident_bytes += entry->bytes;
    ++stats_.resident;
    ++stats_.loads;
  }
  lock.unlock();
  changed_();
  lock.lock();
}

void AdapterPool::fail(const EntryPtr& entry, Error error) {
  entry->error = std::move(error);
  ++stats_.load_failures;
}

AdapterPoolStats AdapterPool::stats() const {
  const std::lock_guard lock(mutex_);
  AdapterPoolStats stats = stats_;
  stats.registered = static_cast<int64_t>(names_.size());
  return stats;
}

// --- Pin ----------------------------------------------------------------------------------------

AdapterPool::Pin::Pin(Pin&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)), entry_(std::move(other.entry_)) {}

AdapterPool::Pin& AdapterPool::Pin::operator=(Pin&& other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(entry_, other.entry_);
  return *this;
}

AdapterPool::Pin::~Pin() {
  if (pool_ != nullptr) pool_->unpin(entry_);
}

Result<std::shared_ptr<const model::Adapter>> AdapterPool::Pin::get() const {
  const std::lock_guard lock(pool_->mutex_);
  if (entry_->error) return *entry_->error;
  return entry_->adapter;
}

}  // namespace plinth::engine
