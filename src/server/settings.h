// What a server may be told anew while it runs: a TOML file, read at the start and again on reload.
//
//   log_requests = true     # a line for each answer: who, what model, how many tokens; never texts
//   [[filter]]              # content_filter.h
//   [moderator]             # moderator.h
//   [[folder]]              # may be refined by this tenant's jobs, with all below
//   tenant = "law"
//   path = "/srv/law"       # relative to the settings' folder
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/result.h"
#include "server/content_filter.h"

namespace plinth::server {

class Moderator;

// Any thread.
class Settings {
 public:
  // An empty path: nothing is filtered or logged. With an error all stays as it was.
  Status load(const Path& path);

  // Null: none.
  ContentFilterPtr filter() const {
    const std::lock_guard lock(mutex_);
    return filter_;
  }

  // Null: none.
  std::shared_ptr<Moderator> moderator() const {
    const std::lock_guard lock(mutex_);
    return moderator_;
  }

  // Ends the moderator: questions get no judgement any more.
  void close();

  struct Folder {
    std::string tenant;
    Path path;  // without links
  };

  // Never null.
  std::shared_ptr<const std::vector<Folder>> folders() const {
    const std::lock_guard lock(mutex_);
    return folders_;
  }

  bool log_requests() const { return log_requests_; }

 private:
  std::atomic<bool> log_requests_ = false;
  mutable std::mutex mutex_;  // guards what follows
  ContentFilterPtr filter_;
  std::shared_ptr<Moderator> moderator_;
  std::shared_ptr<const std::vector<Folder>> folders_ =
      std::make_shared<const std::vector<Folder>>();
};

}  // namespace plinth::server
