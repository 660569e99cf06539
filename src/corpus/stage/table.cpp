#include "corpus/stage/table.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace plinth::corpus {
namespace {

Error failed(const char* what, const Path& path, int code) {
  return make_error(
      code == ENOSPC || code == EDQUOT ? Code::kResourceExhausted : Code::kUnavailable, "{} {}: {}",
      what, path.string(), std::strerror(code));
}

}  // namespace

Result<TableFile> TableFile::map(const Path& path, uint64_t bytes, bool fresh) {
  if (bytes == 0) return TableFile(nullptr, 0);
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC | (fresh ? O_CREAT | O_TRUNC : 0), 0644);
  if (fd < 0) return failed("open", path, errno);
  int code = 0;
  const char* what = "map";
  void* data = MAP_FAILED;

  struct stat info {};

  if (fresh) {
    what = "make room for";
    code = ::posix_fallocate(fd, 0, static_cast<off_t>(bytes));
  } else if (::fstat(fd, &info) != 0 || static_cast<uint64_t>(info.st_size) != bytes) {
    code = EINVAL;
  }
  if (code == 0) {
    data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) code = errno;
  }
  ::close(fd);
  if (code != 0) return failed(what, path, code);
  return TableFile(data, bytes);
}

Result<TableFile> TableFile::create(const Path& path, uint64_t bytes) {
  return map(path, bytes, true);
}

Result<TableFile> TableFile::open(const Path& path, uint64_t bytes) {
  return map(path, bytes, false);
}

TableFile::~TableFile() {
  if (data_ != nullptr) ::munmap(data_, bytes_);
}

Status TableFile::sync() const {
  if (data_ != nullptr && ::msync(data_, bytes_, MS_SYNC) != 0)
    return failed("write", "table", errno);
  return {};
}

}  // namespace plinth::corpus
