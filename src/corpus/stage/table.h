// A table of fixed-width rows in a mapped file: what has to be known of every document at once, and
// may be more than memory holds. The system writes pages out and reads them back as it needs to.
#pragma once

#include <span>
#include <utility>

#include "core/file.h"
#include "core/result.h"

namespace plinth::corpus {

class TableFile {
 public:
  // All bytes zero. Its disk space is taken now: a full disk is an error here, not a fault later.
  static Result<TableFile> create(const Path& path, uint64_t bytes);

  // No rows.
  static TableFile none() { return {nullptr, 0}; }

  // One that exists and has this size.
  static Result<TableFile> open(const Path& path, uint64_t bytes);

  TableFile(TableFile&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

  TableFile& operator=(TableFile&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  ~TableFile();

  template <typename T>
  std::span<T> rows() const {
    return {static_cast<T*>(data_), bytes_ / sizeof(T)};
  }

  // Durable on return.
  Status sync() const;

 private:
  TableFile(void* data, uint64_t bytes) : data_(data), bytes_(bytes) {}

  static Result<TableFile> map(const Path& path, uint64_t bytes, bool fresh);

  void* data_ = nullptr;
  uint64_t bytes_ = 0;
};

}  // namespace plinth::corpus
