#include "server/settings.h"

#include <system_error>
#include <utility>

#include "core/config.h"
#include "server/moderator.h"

namespace plinth::server {
namespace {

Result<std::vector<Settings::Folder>> read_folders(const Config& config, const Path& beside) {
  std::vector<Settings::Folder> folders;
  if (!config.has("folder")) return folders;
  PLINTH_TRY(const auto tables, config.tables("folder"));
  for (const Config& table : tables) {
    Settings::Folder folder;
    PLINTH_TRY(folder.tenant, table.text("tenant", ""));
    PLINTH_TRY(const std::string named, table.text("path", ""));
    PLINTH_TRY(table.finish());
    if (folder.tenant.empty() || named.empty())
      return invalid("[[folder]]: tenant and path are needed");
    std::error_code error;
    folder.path = std::filesystem::canonical(beside / named, error);
    if (error) return not_found("[[folder]] {}: {}", named, error.message());
    folders.push_back(std::move(folder));
  }
  return folders;
}

}  // namespace

Status Settings::load(const Path& path) {
  if (path.empty()) return {};
  PLINTH_TRY(const auto config, Config::read(path));
  PLINTH_TRY(const bool log_requests, config.flag("log_requests", false));
  ContentFilterPtr filter;
  if (config.has("filter")) {
    PLINTH_TRY(auto rules, ContentFilter::read(config, path.parent_path()));
    filter = std::make_shared<const ContentFilter>(std::move(rules));
  }
  PLINTH_TRY(auto folders, read_folders(config, path.parent_path()));
  PLINTH_TRY(auto moderator, Moderator::read(config));
  PLINTH_TRY(config.finish());
  log_requests_ = log_requests;
  const std::lock_guard lock(mutex_);
  moderator.swap(moderator_);  // the old one ends when the lock is open again
  filter_ = std::move(filter);
  folders_ = std::make_shared<const std::vector<Folder>>(std::move(folders));
  return {};
}

void Settings::close() {
  if (const auto last = moderator()) last->end();
}

}  // namespace plinth::server
