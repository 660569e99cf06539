#include "core/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace plinth {
namespace {

constexpr size_t kBufferBytes = 256 * 1024;

Error system_error(const char* what, const Path& path) {
  const int code = errno;
  const auto kind = code == ENOENT                     ? Code::kNotFound
                    : code == EACCES || code == EPERM  ? Code::kPermissionDenied
                    : code == ENOSPC || code == EDQUOT ? Code::kResourceExhausted
                                                       : Code::kInternal;
  return Error{kind, fmt::format("{} {}: {}", what, path.string(), std::strerror(code))};
}

Status write_all(int fd, std::string_view bytes, const Path& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("write", path);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

}  // namespace

Result<std::string> read_file(const Path& path, uint64_t bytes_max) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return system_error("open", path);

  struct stat info {};

  if (::fstat(fd, &info) != 0) {
    auto error = system_error("stat", path);
    ::close(fd);
    return error;
  }
  if (S_ISDIR(info.st_mode)) {
    ::close(fd);
    return invalid("read {}: is a directory", path.string());
  }
  std::string bytes;
  if (info.st_size > 0) bytes.reserve(static_cast<size_t>(info.st_size));
  char chunk[65536];
  while (true) {
    const ssize_t n = ::read(fd, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      auto error = system_error("read", path);
      ::close(fd);
      return error;
    }
    if (n == 0) break;
    if (bytes.size() + static_cast<size_t>(n) > bytes_max) {
      ::close(fd);
      return exhausted("read {}: larger than {} bytes", path.string(), bytes_max);
    }
    bytes.append(chunk, static_cast<size_t>(n));
  }
  ::close(fd);
  return bytes;
}

Status write_file_atomic(const Path& path, std::string_view bytes) {
  Path temporary = path;
  temporary += fmt::format(".{}.tmp", ::getpid());
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return system_error("create", temporary);
  Status status = write_all(fd, bytes, temporary);
  if (status && ::fsync(fd) != 0) status = system_error("fsync", temporary);
  if (::close(fd) != 0 && status) status = system_error("close", temporary);
  if (status && ::rename(temporary.c_str(), path.c_str()) != 0)
    status = system_error("rename to", path);
  if (!status) {
    ::unlink(temporary.c_str());
    return status;
  }
  return sync_directory(path.has_parent_path() ? path.parent_path() : Path("."));
}

Status make_directories(const Path& path) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  if (code) return internal_error("create folder {}: {}", path.string(), code.message());
  return {};
}

Status remove_tree(const Path& path) {
  std::error_code code;
  std::filesystem::remove_all(path, code);
  if (code) return internal_error("remove {}: {}", path.string(), code.message());
  return {};
}

Status sync_directory(const Path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return system_error("open folder", path);
  const int rc = ::fsync(fd);
  ::close(fd);
  if (rc != 0) return system_error("fsync folder", path);
  return {};
}

Result<MappedFile> MappedFile::open(const Path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return system_error("open", path);

  struct stat info {};

  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(fd);
    return invalid("map {}: not a regular file", path.string());
  }
  const auto size = static_cast<size_t>(info.st_size);
  if (size == 0) {
    ::close(fd);
    return MappedFile(nullptr, 0);
  }
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  ::close(fd);
  if (data == MAP_FAILED) return system_error("map", path);
  return MappedFile(static_cast<const std::byte*>(data), size);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

Result<OutputFile> OutputFile::create(const Path& path, bool append) {
  const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC);
  const int fd = ::open(path.c_str(), flags, 0644);
  if (fd < 0) return system_error("create", path);
  return OutputFile(fd, path);
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      buffer_(std::move(other.buffer_)) {}

OutputFile& OutputFile::operator=(OutputFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  std::swap(buffer_, other.buffer_);
  return *this;
}

OutputFile::~OutputFile() {
  if (fd_ >= 0) (void)close();
}

Status OutputFile::write(std::string_view bytes) {
  if (buffer_.size() + bytes.size() > kBufferBytes) PLINTH_TRY(flush());
  if (bytes.size() > kBufferBytes) return write_all(fd_, bytes, path_);
  buffer_.append(bytes);
  return {};
}

Status OutputFile::flush() {
  PLINTH_TRY(write_all(fd_, buffer_, path_));
  buffer_.clear();
  return {};
}

Status OutputFile::sync() {
  PLINTH_TRY(flush());
  if (::fsync(fd_) != 0) return system_error("fsync", path_);
  return {};
}

Status OutputFile::close() {
  if (fd_ < 0) return {};
  Status status = flush();
  if (::close(std::exchange(fd_, -1)) != 0 && status) status = system_error("close", path_);
  return status;
}

Result<FileLock> FileLock::take(const Path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return system_error("open", path);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd);
    return make_error(Code::kFailedPrecondition, "{} is locked by another process", path.string());
  }
  return FileLock(fd);
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

Result<TempDirectory> TempDirectory::create(std::string_view prefix) {
  std::error_code code;
  const Path root = std::filesystem::temp_directory_path(code);
  if (code) return internal_error("temporary folder: {}", code.message());
  std::string name = (root / fmt::format("{}-XXXXXX", prefix)).string();
  if (::mkdtemp(name.data()) == nullptr) return system_error("create folder", name);
  return TempDirectory(name);
}

TempDirectory::TempDirectory(TempDirectory&& other) noexcept
    : path_(std::exchange(other.path_, {})) {}

TempDirectory& TempDirectory::operator=(TempDirectory&& other) noexcept {
  std::swap(path_, other.path_);
  return *this;
}

TempDirectory::~TempDirectory() {
  if (!path_.empty()) (void)remove_tree(path_);
}

}  // namespace plinth
