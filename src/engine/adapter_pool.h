// Adapters at hand: thousands may be registered, as many as a byte budget holds are loaded.
//
// A registered adapter is a name, a digest and a way to open it; nothing is read until a request
// wants it. Then a thread of the pool opens it while the engine goes on with everybody else's work.
// Whatever a request in flight uses is pinned; when the budget is full, the adapter that has been
// unused for longest is let go, and when all of it is pinned, the next load waits for a pin to end.
//
// Weights are known by digest, never by name: registering a name anew changes what later requests
// get, not the ones in flight. Any thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "core/result.h"
#include "model/model.h"

namespace plinth::engine {

struct AdapterSource {
  std::string name = {};
  // Names config and weights: whatever opens under the same digest must be the same adapter.
  std::string digest = {};
  // Called on the pool's thread, again after an eviction. What it returns carries `digest` as its
  // own from then on.
  std::function<Result<std::shared_ptr<const model::Adapter>>()> open = {};
};

// Whoever holds one means these bytes, whatever the name comes to mean.
using AdapterSourcePtr = std::shared_ptr<const AdapterSource>;

struct AdapterPoolStats {
  int64_t registered = 0;
  int64_t resident = 0;
  int64_t resident_bytes = 0;
  int64_t budget_bytes = 0;
  int64_t loads = 0;
  int64_t load_failures = 0;
  int64_t evictions = 0;
};

// The bytes of an adapter's matrices.
int64_t adapter_bytes(const model::Adapter& adapter);

class AdapterPool {
  struct Entry;

 public:
  using Prepare =
      std::function<Result<std::shared_ptr<const model::Adapter>>(const model::Adapter& opened)>;

  // budget_bytes bounds the matrices of all adapters that are loaded; one that has just been opened
  // may exceed it until it is seen to. `changed` is called without locks on the pool's thread each
  // time a load has ended.
  // `prepare` makes of what was opened what is kept; on the pool's thread.
  AdapterPool(int64_t budget_bytes, Prepare prepare, std::function<void()> changed);
  // Waits for the load in progress. Pins must be gone.
  ~AdapterPool();
  AdapterPool(const AdapterPool&) = delete;
  AdapterPool& operator=(const AdapterPool&) = delete;

  // From now on the name means this adapter. Reads nothing. kInvalidArgument without a name, a
  // digest or a way to open it.
  Result<AdapterSourcePtr> add(AdapterSource source);
  // kNotFound for a name that is not registered.
  Result<AdapterSourcePtr> find(std::string_view name) const;
  // The name means nothing any more; an unknown one is ignored.
  void remove(std::string_view name);

  // One request's hold on an adapter: while it lives, the adapter will not be evicted.
  class Pin {
   public:
    Pin() = default;
    Pin(Pin&& other) noexcept;
    Pin& operator=(Pin&& other) noexcept;
    ~Pin();

    explicit operator bool() const { return pool_ != nullptr; }

    // Null while it is being loaded; an error when that failed, which other digests don't notice
    // and a later pin tries again.
    Result<std::shared_ptr<const model::Adapter>> get() const;

   private:
    friend class AdapterPool;

    Pin(AdapterPool* pool, std::shared_ptr<Entry> entry) : pool_(pool), entry_(std::move(entry)) {}

    AdapterPool* pool_ = nullptr;  // outlives its pins
    std::shared_ptr<Entry> entry_;
  };

  // Starts loading what is not there.
  Pin pin(const AdapterSourcePtr& source);

  AdapterPoolStats stats() const;

 private:
  using EntryPtr = std::shared_ptr<Entry>;

  void unpin(const EntryPtr& entry);
  void work(const std::stop_token& stop);
  void load(std::unique_lock<std::mutex>& lock, const EntryPtr& entry);
  bool make_room(int64_t bytes);
  void fail(const EntryPtr& entry, Error error);

  const Prepare prepare_;
  const std::function<void()> changed_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable_any wake_;
  std::map<std::string, AdapterSourcePtr, std::less<>> names_;
  std::map<std::string, EntryPtr, std::less<>> entries_;  // by digest: pinned or resident
  std::list<EntryPtr> idle_;                              // resident, no pins; longest unused first
  std::deque<EntryPtr> wanted_;                           // to be loaded, in order
  AdapterPoolStats stats_;

  std::jthread thread_;
};

}  // namespace plinth::engine
