// Files: whole reads, atomic writes, memory maps, append-only logs, locks.
//
// Every error names the path and what the system said. Nothing here is shared between threads
// unless it says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/result.h"

namespace plinth {

using Path = std::filesystem::path;

// The whole file. Refuses more than `bytes_max` (kResourceExhausted) before reading.
Result<std::string> read_file(const Path& path, uint64_t bytes_max = uint64_t{4} << 30);

// Writes beside the target, fsyncs, renames over it, fsyncs the folder: after a crash the file is
// either the old one or the new one, whole.
Status write_file_atomic(const Path& path, std::string_view bytes);

// mkdir -p.
Status make_directories(const Path& path);

// Removes a file or a whole folder; a missing one is fine.
Status remove_tree(const Path& path);

// fsync of a folder: makes renames inside it durable.
Status sync_directory(const Path& path);

// A read-only map of a whole file; the bytes live as long as this object. Movable.
// A file that another process truncates meanwhile raises SIGBUS: store artifacts are immutable.
class MappedFile {
 public:
  static Result<MappedFile> open(const Path& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }

  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }

 private:
  MappedFile(const std::byte* data, size_t size) : data_(data), size_(size) {}

  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// A file written front to back (created or truncated; with `append`, continued).
// write() may buffer; sync() makes everything written so far durable.
class OutputFile {
 public:
  static Result<OutputFile> create(const Path& path, bool append = false);

  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&& other) noexcept;
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  Status write(std::string_view bytes);
  Status flush();
  Status sync();
  Status close();

 private:
  OutputFile(int fd, Path path) : fd_(fd), path_(std::move(path)) {}

  int fd_ = -1;
  Path path_;
  std::string buffer_;
};

// An exclusive advisory lock on `path` (created when missing), held until destroyed; a second
// process gets kFailedPrecondition at once.
class FileLock {
 public:
  static Result<FileLock> take(const Path& path);

  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}

  int fd_ = -1;
};

// A fresh folder under the system's temporary folder, removed with everything in it when destroyed.
class TempDirectory {
 public:
  static Result<TempDirectory> create(std::string_view prefix = "plinth");

  TempDirectory(TempDirectory&& other) noexcept;
  TempDirectory& operator=(TempDirectory&& other) noexcept;
  ~TempDirectory();

  const Path& path() const { return path_; }

 private:
  explicit TempDirectory(Path path) : path_(std::move(path)) {}

  Path path_;
};

}  // namespace plinth
