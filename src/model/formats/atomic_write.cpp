#include "model/formats/atomic_write.h"

#include <unistd.h>

#include <filesystem>
#include <system_error>

namespace plinth::model {
namespace {

Status write_and_sync(const Path& path, const std::function<Status(OutputFile&)>& write) {
  PLINTH_TRY(auto file, OutputFile::create(path));
  PLINTH_TRY(write(file));
  PLINTH_TRY(file.sync());
  return file.close();
}

Status rename_over(const Path& from, const Path& to) {
  std::error_code code;
  std::filesystem::rename(from, to, code);
  if (code)
    return internal_error("rename {} to {}: {}", from.string(), to.string(), code.message());
  return sync_directory(to.has_parent_path() ? to.parent_path() : Path("."));
}

}  // namespace

Status write_atomically(const Path& path, const std::function<Status(OutputFile&)>& write) {
  Path temporary = path;
  temporary += fmt::format(".{}.tmp", ::getpid());
  Status status = write_and_sync(temporary, write);
  if (status) status = rename_over(temporary, path);
  if (!status) (void)remove_all(temporary);
  return status;
}

}  // namespace plinth::model
