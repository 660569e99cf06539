#include "server/settings.h"

#include <utility>

#include "core/config.h"

namespace plinth::server {

Status Settings::load(const Path& path) {
  if (path.empty()) return {};
  PLINTH_TRY(const auto config, Config::read(path));
  PLINTH_TRY(const bool log_requests, config.flag("log_requests", false));
  ContentFilterPtr filter;
  if (config.has("filter")) {
    PLINTH_TRY(auto rules, ContentFilter::read(config, path.parent_path()));
    filter = std::make_shared<const ContentFilter>(std::move(rules));
  }
  PLINTH_TRY(config.finish());
  log_requests_ = log_requests;
  const std::lock_guard lock(mutex_);
  filter_ = std::move(filter);
  return {};
}

}  // namespace plinth::server
