#include "hub/part_file.h"

#include <algorithm>

namespace plinth::hub {
namespace {

// Feeds a file to `check` piece by piece, so that a large one takes no memory but the page cache.
Status read_into(Check& check, const Path& path) {
  constexpr size_t kPieceBytes = 4 << 20;
  PLINTH_TRY(const auto map, MappedFile::open(path));
  for (std::string_view rest = map.text(); !rest.empty();) {
    const std::string_view piece = rest.substr(0, kPieceBytes);
    check.update(piece);
    rest.remove_prefix(piece.size());
  }
  return {};
}

}  // namespace

Check::Check(const File& expected) : expected_(&expected) {
  if (!expected.sha256.empty()) {
    sha256_.emplace();
  } else if (!expected.git_sha1.empty()) {
    git_sha1_.emplace();
    // Git hashes an object behind its type and size ("Git Internals - Git Objects", git-scm.com).
    git_sha1_->update(fmt::format("blob {}", expected.size) + '\0');
  }
}

void Check::update(std::string_view bytes) {
  if (sha256_) sha256_->update(bytes);
  if (git_sha1_) git_sha1_->update(bytes);
}

Status Check::verify(std::string_view name) {
  const auto compare = [name](std::string_view kind, const std::string& want,
                              const std::string& got) -> Status {
    if (want == got) return {};
    return data_loss(
        "{}: {} is {}, the hub's listing says {}: removed; the same command fetches it "
        "again",
        name, kind, got, want);
  };
  if (sha256_) return compare("SHA-256", expected_->sha256, sha256_->hex());
  if (git_sha1_) return compare("git SHA-1", expected_->git_sha1, git_sha1_->hex());
  return {};
}

bool is_complete(const Path& target, const File& expected) {
  std::error_code code;
  const auto size = std::filesystem::file_size(target, code);
  if (code || size != static_cast<uint64_t>(expected.size)) return false;
  Check check(expected);
  return read_into(check, target).has_value() && check.verify(expected.path).has_value();
}

Path part_path(const Path& target) {
  Path part = target;
  part += ".part";
  return part;
}

int64_t part_size(const Path& target) {
  std::error_code code;
  const auto size = std::filesystem::file_size(part_path(target), code);
  return code ? 0 : static_cast<int64_t>(size);
}

Result<PartFile> PartFile::open(const Path& target, const File& expected) {
  PLINTH_TRY(make_directories(target.parent_path()));
  const Path part = part_path(target);
  int64_t size = part_size(target);
  if (size > expected.size) {
    PLINTH_TRY(remove_tree(part));
    size = 0;
  }
  Check check(expected);
  if (size > 0) PLINTH_TRY(read_into(check, part));
  PLINTH_TRY(auto out, OutputFile::create(part, true));
  return PartFile(target, expected, std::move(out), std::move(check), size);
}

Status PartFile::restart() {
  PLINTH_TRY(out_.close());
  PLINTH_TRY(out_, OutputFile::create(part_path(target_), false));
  check_ = Check(*expected_);
  size_ = 0;
  return {};
}

Status PartFile::write(std::string_view bytes) {
  if (static_cast<int64_t>(bytes.size()) > expected_->size - size_) {
    PLINTH_TRY(remove_tree(part_path(target_)));
    return data_loss("{}: more than the {} bytes of the hub's listing arrive: removed",
                     expected_->path, expected_->size);
  }
  PLINTH_TRY(out_.write(bytes));
  PLINTH_TRY(out_.flush());
  check_.update(bytes);
  size_ += static_cast<int64_t>(bytes.size());
  return {};
}

Status PartFile::finish() {
  const Path part = part_path(target_);
  if (size_ != expected_->size)
    return data_loss("{}: {} bytes are there, the hub's listing says {}", expected_->path, size_,
                     expected_->size);
  if (const Status verified = check_.verify(expected_->path); !verified) {
    PLINTH_TRY(remove_tree(part));
    return verified;
  }
  PLINTH_TRY(out_.sync());
  PLINTH_TRY(out_.close());
  std::error_code code;
  std::filesystem::rename(part, target_, code);
  if (code) return internal_error("rename {}: {}", part.string(), code.message());
  return sync_directory(target_.parent_path());
}

}  // namespace plinth::hub
