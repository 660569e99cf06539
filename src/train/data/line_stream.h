// A text file, plain or zstd, read line by line: a corpus may be larger than memory, and a reader
// with enough may stop early.
#pragma once

#include <memory>
#include <string>

#include "core/file.h"
#include "core/result.h"

namespace plinth::train {

class LineStream {
 public:
  // A name that ends in .zst is decompressed (window up to 2^27 bytes).
  static Result<LineStream> open(const Path& path);

  LineStream(LineStream&&) noexcept;
  ~LineStream();

  // The next line without its end; false when there is none left. Lines longer than 64 MiB are
  // refused.
  Result<bool> next(std::string& line);

  int64_t line_number() const { return line_number_; }  // of the last line read, from 1

 private:
  struct Impl;
  explicit LineStream(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
  int64_t line_number_ = 0;
};

}  // namespace plinth::train
