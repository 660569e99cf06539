// Who is connected, and when the last one has gone: what a graceful stop needs to know. Any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

namespace plinth::server {

template <typename Session>
class Sessions {
 public:
  explicit Sessions(int limit) : limit_(limit) {}

  bool enter(Session* session) {
    const std::lock_guard lock(mutex_);
    if (closed_ || static_cast<int>(open_.size()) >= limit_) return false;
    return open_.insert(session).second;
  }

  // From now on for_each() leaves it alone.
  void leave(Session* session) {
    const std::lock_guard lock(mutex_);
    open_.erase(session);
  }

  // The first member of a session, so that it is destroyed last: until then the session's socket
  // needs the io_context, whichever thread lets go of it.
  class Presence {
   public:
    explicit Presence(std::shared_ptr<Sessions> sessions) : sessions_(std::move(sessions)) {
      const std::lock_guard lock(sessions_->mutex_);
      ++sessions_->alive_;
    }

    ~Presence() {
      const std::lock_guard lock(sessions_->mutex_);
      if (--sessions_->alive_ == 0) sessions_->empty_.notify_all();
    }

    Presence(const Presence&) = delete;
    Presence& operator=(const Presence&) = delete;

    Sessions& operator*() const { return *sessions_; }

   private:
    std::shared_ptr<Sessions> sessions_;
  };

  // Calls `what` for each under the lock: none can be destroyed meanwhile.
  template <typename F>
  void for_each(F what) {
    const std::lock_guard lock(mutex_);
    for (Session* session : open_) what(*session);
  }

  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }

  bool closed() {
    const std::lock_guard lock(mutex_);
    return closed_;
  }

  bool wait_until_empty(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    return empty_.wait_for(lock, time, [this] { return alive_ == 0; });
  }

  void wait_until_empty() {
    std::unique_lock lock(mutex_);
    empty_.wait(lock, [this] { return alive_ == 0; });
  }

 private:
  int limit_;
  std::mutex mutex_;
  std::condition_variable empty_;
  std::set<Session*> open_;
  int alive_ = 0;
  bool closed_ = false;
};

}  // namespace plinth::server
