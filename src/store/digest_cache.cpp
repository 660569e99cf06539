#include "store/digest_cache.h"

#include <sys/stat.h>

#include <algorithm>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "core/hash.h"

namespace plinth::store {
namespace {

constexpr size_t kEntryBytesMax = 1 << 20;
constexpr size_t kDigestDigits = 64;

std::string stamp_of_file(const Path& path) {
  struct stat s = {};
  if (::stat(path.c_str(), &s) != 0) return {};
  return fmt::format("{} {} {} {}.{} {}.{}\n", path.filename().string(), s.st_size, s.st_ino,
                     s.st_mtim.tv_sec, s.st_mtim.tv_nsec, s.st_ctim.tv_sec, s.st_ctim.tv_nsec);
}

}  // namespace

std::string file_stamp(const Path& path) {
  std::error_code code;
  if (!std::filesystem::is_directory(path, code)) return stamp_of_file(path);
  std::vector<std::string> stamps;
  for (const auto& entry : std::filesystem::directory_iterator(path, code)) {
    const auto extension = entry.path().extension();
    if (extension == ".safetensors" || extension == ".json")
      stamps.push_back(stamp_of_file(entry.path()));
  }
  std::ranges::sort(stamps);
  std::string all;
  for (const auto& stamp : stamps) all += stamp;
  return all;
}

std::optional<std::string> DigestCache::find(const Path& path, const std::string& stamp) const {
  if (stamp.empty()) return std::nullopt;
  const auto text = read_file(entry(path), kEntryBytesMax);
  if (!text || text->size() != kDigestDigits + 1 + stamp.size()) return std::nullopt;
  if ((*text)[kDigestDigits] != '\n' || text->substr(kDigestDigits + 1) != stamp)
    return std::nullopt;
  const std::string digest = text->substr(0, kDigestDigits);
  const bool hex = std::ranges::all_of(
      digest, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  return hex ? std::optional(digest) : std::nullopt;
}

void DigestCache::put(const Path& path, const std::string& stamp, const std::string& digest) const {
  if (stamp.empty() || digest.size() != kDigestDigits) return;
  std::error_code code;
  std::filesystem::create_directories(folder_, code);
  (void)write_file_atomic(entry(path), digest + "\n" + stamp);
}

Path DigestCache::entry(const Path& path) const {
  std::error_code code;
  const Path absolute = std::filesystem::weakly_canonical(path, code);
  return folder_ / sha256_hex(absolute.string());
}

}  // namespace plinth::store
