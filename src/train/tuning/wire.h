// Messages between the processes of a run: plain values behind each other. Both ends are the same
// program (peers check that before anything else), so nothing in here is for strangers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "core/check.h"
#include "core/result.h"
#include "train/math/tape.h"
#include "train/peers.h"

namespace plinth::train {

class Writer {
 public:
  template <typename T>
  void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    append(&value, sizeof value);
  }

  template <typename T>
  void put_all(std::span<const T> values) {
    put(values.size());
    append(values.data(), values.size_bytes());
  }

  void put_batch(const MicroBatch& batch);

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  void append(const void* from, size_t n) {
    const size_t at = bytes_.size();
    bytes_.resize(at + n);
    if (n > 0) std::memcpy(bytes_.data() + at, from, n);
  }

  std::vector<std::byte> bytes_;
};

class Taker {
 public:
  explicit Taker(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}

  template <typename T>
  T take() {
    T value;
    copy(&value, sizeof value);
    return value;
  }

  template <typename T>
  std::vector<T> take_all() {
    const auto n = take<size_t>();
    PLINTH_CHECK(n <= (bytes_.size() - at_) / sizeof(T), "a message of {} bytes with {} of {}",
                 bytes_.size(), n, sizeof(T));
    std::vector<T> values(n);
    copy(values.data(), n * sizeof(T));
    return values;
  }

  MicroBatch take_batch();

  // Whatever has not been taken, as text.
  std::string rest() const {
    return {reinterpret_cast<const char*>(bytes_.data()) + at_, bytes_.size() - at_};
  }

 private:
  void copy(void* to, size_t n) {
    PLINTH_CHECK(n <= bytes_.size() - at_, "a message of {} bytes ends at {}", bytes_.size(), at_);
    if (n > 0) std::memcpy(to, bytes_.data() + at_, n);
    at_ += n;
  }

  std::vector<std::byte> bytes_;
  size_t at_ = 0;
};

// A message and its length.
Status send_message(Peers& peers, std::span<const std::byte> bytes, int64_t to);
Result<Taker> receive_message(Peers& peers, int64_t from);

// From rank 0 to all the others, each of which passes it on; everybody calls it.
Status broadcast(Peers& peers, std::span<std::byte> bytes);

}  // namespace plinth::train
