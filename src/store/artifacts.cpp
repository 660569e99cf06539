#include "store/artifacts.h"

#include <algorithm>
#include <system_error>
#include <vector>

#include "core/hash.h"

namespace plinth::store {
namespace {

constexpr uint64_t kCopyBytes = uint64_t{1} << 20;

bool is_digest(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// Names of the regular files of a flat folder, sorted.
Result<std::vector<std::string>> list_folder(const Path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator it(folder, error);
  if (error) return not_found("folder {}: {}", folder.string(), error.message());
  for (; it != std::filesystem::directory_iterator(); it.increment(error)) {
    std::error_code type_error;
    const std::string name = it->path().filename().string();
    if (!it->is_regular_file(type_error) || it->is_symlink(type_error))
      return invalid("folder {}: {} is not a regular file", folder.string(), name);
    if (name.find('\n') != std::string::npos)
      return invalid("folder {}: a file name has a line break", folder.string());
    names.push_back(name);
  }
  if (error) return internal_error("folder {}: {}", folder.string(), error.message());
  if (names.empty()) return invalid("folder {} is empty", folder.string());
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::string> folder_digest(const Path& folder) {
  PLINTH_TRY(const auto names, list_folder(folder));
  Sha256 listing;
  for (const std::string& name : names) {
    PLINTH_TRY(const std::string digest, sha256_file(folder / name));
    listing.update(fmt::format("{}  {}\n", digest, name));
  }
  return listing.hex();
}

Result<std::string> digest_of(const Path& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error) ? folder_digest(path) : sha256_file(path);
}

// Copies a file in pieces (artifacts may be larger than memory) and makes the copy durable.
Status copy_durably(const Path& from, const Path& to) {
  PLINTH_TRY(const auto source, MappedFile::open(from));
  PLINTH_TRY(auto out, OutputFile::create(to));
  std::string_view left = source.text();
  while (!left.empty()) {
    const std::string_view piece = left.substr(0, kCopyBytes);
    PLINTH_TRY(out.write(piece));
    left.remove_prefix(piece.size());
  }
  PLINTH_TRY(out.sync());
  return out.close();
}

// A place to write before the rename, removed unless it was moved away.
class Staging {
 public:
  explicit Staging(const Path& root) : path_(root / ("staging-" + random_hex(8))) {}

  ~Staging() { (void)remove_tree(path_); }

  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  const Path& path() const { return path_; }

 private:
  Path path_;
};

}  // namespace

Result<Artifacts> Artifacts::open(const Path& root) {
  PLINTH_TRY(make_directories(root));
  return Artifacts(root);
}

Path Artifacts::place(std::string_view digest) const {
  return root_ / std::string(digest.substr(0, 2)) / std::string(digest);
}

// Moves what is staged to its place. Somebody else's copy of the same bytes is as good as ours.
Result<std::string> Artifacts::adopt(const Path& staged, const std::string& digest) const {
  const Path target = place(digest);
  PLINTH_TRY(make_directories(target.parent_path()));
  std::error_code error;
  if (std::filesystem::exists(target, error)) {
    PLINTH_TRY(const std::string found, digest_of(target));
    if (found == digest) return digest;
    PLINTH_TRY(remove_tree(target));  // rotten: the fresh copy takes its place
  }
  std::filesystem::rename(staged, target, error);
  if (error && !std::filesystem::exists(target))
    return internal_error("artifact {}: {}", target.string(), error.message());
  PLINTH_TRY(sync_directory(target.parent_path()));
  PLINTH_TRY(sync_directory(root_));
  return digest;
}

Result<std::string> Artifacts::put(std::string_view bytes) const {
  const Staging staging(root_);
  PLINTH_TRY(auto out, OutputFile::create(staging.path()));
  PLINTH_TRY(out.write(bytes));
  PLINTH_TRY(out.sync());
  PLINTH_TRY(out.close());
  return adopt(staging.path(), sha256_hex(bytes));
}

Result<std::string> Artifacts::put_file(const Path& source) const {
  const Staging staging(root_);
  PLINTH_TRY(copy_durably(source, staging.path()));
  PLINTH_TRY(const std::string digest, sha256_file(staging.path()));
  return adopt(staging.path(), digest);
}

Result<std::string> Artifacts::put_folder(const Path& source) const {
  PLINTH_TRY(const auto names, list_folder(source));
  const Staging staging(root_);
  PLINTH_TRY(make_directories(staging.path()));
  for (const std::string& name : names)
    PLINTH_TRY(copy_durably(source / name, staging.path() / name));
  PLINTH_TRY(sync_directory(staging.path()));
  // The digest is taken from the copy: the source may change while we read it.
  PLINTH_TRY(const std::string digest, folder_digest(staging.path()));
  return adopt(staging.path(), digest);
}

Result<Path> Artifacts::find(std::string_view digest) const {
  if (!is_digest(digest)) return invalid("artifact {}: not a SHA-256 digest", digest);
  const Path path = place(digest);
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return not_found("artifact {} is missing", digest);
  PLINTH_TRY(const std::string found, digest_of(path));
  if (found != digest) return data_loss("artifact {}: its bytes hash to {}", path.string(), found);
  return path;
}

Result<std::string> Artifacts::read(std::string_view digest) const {
  if (!is_digest(digest)) return invalid("artifact {}: not a SHA-256 digest", digest);
  const Path path = place(digest);
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return not_found("artifact {} is missing", digest);
  PLINTH_TRY(std::string bytes, read_file(path));
  if (const std::string found = sha256_hex(bytes); found != digest)
    return data_loss("artifact {}: its bytes hash to {}", path.string(), found);
  return bytes;
}

}  // namespace plinth::store
