// Digests (names of immutable bytes), fast hashes (tables), and random bytes for secrets.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/file.h"
#include "core/result.h"

namespace plinth {

// SHA-256 as 64 lower-case hexadecimal digits (OpenSSL).
std::string sha256_hex(std::string_view bytes);
Result<std::string> sha256_file(const Path& path);

// SHA-256 of a stream.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::string_view bytes);
  std::string hex();  // ends the stream

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// SHA-1 of a stream: the names of git's objects, nothing else. It protects from accidents only.
class Sha1 {
 public:
  Sha1();
  ~Sha1();
  Sha1(Sha1&&) noexcept;
  Sha1& operator=(Sha1&&) noexcept;

  void update(std::string_view bytes);
  std::string hex();  // ends the stream

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// XXH3 64-bit: tables and sketches only, never integrity against an adversary.
uint64_t xxh3(std::string_view bytes, uint64_t seed = 0);

// Cryptographically strong random bytes, as hexadecimal digits (2 * bytes long).
std::string random_hex(size_t bytes);

}  // namespace plinth
