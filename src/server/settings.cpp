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

Result<Settings::Values> Settings::read(const Path& path) {
  Values values;
  if (path.empty()) return values;
  PLINTH_TRY(const auto config, Config::read(path));
  PLINTH_TRY(values.log_requests, config.flag("log_requests", false));
  if (config.has("filter")) {
    PLINTH_TRY(auto rules, ContentFilter::read(config, path.parent_path()));
    values.filter = std::make_shared<const ContentFilter>(std::move(rules));
  }
  PLINTH_TRY(auto folders, read_folders(config, path.parent_path()));
  values.folders = std::make_shared<const std::vector<Folder>>(std::move(folders));
  PLINTH_TRY(values.moderator, Moderator::read(config));
  PLINTH_TRY(config.finish());
  return values;
}

void Settings::set(Values values) {
  const std::lock_guard lock(mutex_);
  std::swap(values_, values);  // the old moderator ends when the lock is open again
}

void Settings::close() {
  if (const auto last = moderator()) last->end();
}

}  // namespace plinth::server
