// What a server may be told anew while it runs: a TOML file, read at the start and again on reload.
//
//   log_requests = true     # a line for each answer: who, what model, how many tokens; never texts
//   [[filter]]              # content_filter.h
//   [moderator]             # moderator.h
//   [[folder]]              # may be refined by this tenant's jobs, with all below
//   tenant = "law"
//   path = "/srv/law"       # relative to the settings' folder
#pragma once

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
  struct Folder {
    std::string tenant;
    Path path;  // without links
  };

  using Folders = std::shared_ptr<const std::vector<Folder>>;

  // Without a file nothing is filtered or logged.
  struct Values {
    bool log_requests = false;
    ContentFilterPtr filter = {};                                     // null: none
    std::shared_ptr<Moderator> moderator = {};                        // null: none
    Folders folders = std::make_shared<const std::vector<Folder>>();  // never null
  };

  // An empty path: the values without a file.
  static Result<Values> read(const Path& path);

  void set(Values values);

  ContentFilterPtr filter() const { return get(&Values::filter); }

  std::shared_ptr<Moderator> moderator() const { return get(&Values::moderator); }

  Folders folders() const { return get(&Values::folders); }

  bool log_requests() const { return get(&Values::log_requests); }

  // Ends the moderator: nothing gets a judgement any more.
  void close();

 private:
  template <typename T>
  T get(T Values::*value) const {
    const std::lock_guard lock(mutex_);
    return values_.*value;
  }

  mutable std::mutex mutex_;  // guards values_
  Values values_;
};

}  // namespace plinth::server
