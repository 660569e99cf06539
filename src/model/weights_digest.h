// The identity of a base: the SHA-256 of its weight files, worked out when somebody asks.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace plinth::model {

// Answers from memory, or calls `compute` and remembers what it gives. Reading gigabytes takes
// seconds, and most starts see the files of the last one.
using DigestMemo = std::function<std::string(const std::function<std::string()>& compute)>;

class WeightsDigest {
 public:
  // The bytes of the files, in order, which `storage` keeps alive. `mapped`: they are mapped files,
  // whose pages are given back as they are read.
  WeightsDigest(std::vector<std::span<const std::byte>> files, bool mapped,
                std::shared_ptr<const void> storage, DigestMemo memo);

  // Any thread; the first call may take as long as reading the files does.
  const std::string& hex() const;

 private:
  std::string compute() const;

  std::vector<std::span<const std::byte>> files_;
  bool mapped_;
  std::shared_ptr<const void> storage_;
  DigestMemo memo_;
  mutable std::once_flag once_;
  mutable std::string hex_;
};

}  // namespace plinth::model
