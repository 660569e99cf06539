#include "core/hash.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "core/check.h"

namespace plinth {
namespace {

std::string to_hex(std::span<const unsigned char> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const unsigned char byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

// One message digest of OpenSSL.
class Digest {
 public:
  explicit Digest(const EVP_MD* kind) {
    PLINTH_CHECK(EVP_DigestInit_ex(context_, kind, nullptr) == 1);
  }

  ~Digest() { EVP_MD_CTX_free(context_); }

  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  void update(std::string_view bytes) {
    PLINTH_CHECK(EVP_DigestUpdate(context_, bytes.data(), bytes.size()) == 1);
  }

  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    PLINTH_CHECK(EVP_DigestFinal_ex(context_, digest.data(), &size) == 1);
    return to_hex({digest.data(), size});
  }

 private:
  EVP_MD_CTX* context_ = EVP_MD_CTX_new();
};

}  // namespace

struct Sha256::Impl {
  Digest digest{EVP_sha256()};
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) {}

Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) {
  impl_->digest.update(bytes);
}

std::string Sha256::hex() {
  return impl_->digest.hex();
}

struct Sha1::Impl {
  Digest digest{EVP_sha1()};
};

Sha1::Sha1() : impl_(std::make_unique<Impl>()) {}

Sha1::~Sha1() = default;
Sha1::Sha1(Sha1&&) noexcept = default;
Sha1& Sha1::operator=(Sha1&&) noexcept = default;

void Sha1::update(std::string_view bytes) {
  impl_->digest.update(bytes);
}

std::string Sha1::hex() {
  return impl_->digest.hex();
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

Result<std::string> sha256_file(const Path& path) {
  // Read, not mapped: a mapped terabyte would count as this process's memory.
  std::ifstream file(path, std::ios::binary);
  if (!file) return not_found("open {}: {}", path.string(), std::strerror(errno));
  Sha256 hash;
  std::string block(size_t{1} << 20, '\0');
  while (file.read(block.data(), static_cast<std::streamsize>(block.size())) || file.gcount() > 0)
    hash.update(std::string_view(block.data(), static_cast<size_t>(file.gcount())));
  if (file.bad()) return data_loss("read {}: {}", path.string(), std::strerror(errno));
  return hash.hex();
}

uint64_t xxh3(std::string_view bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

std::string random_hex(size_t bytes) {
  std::string raw(bytes, '\0');
  PLINTH_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(raw.data()), static_cast<int>(bytes)) ==
               1);
  return to_hex({reinterpret_cast<const unsigned char*>(raw.data()), bytes});
}

}  // namespace plinth
