#include "hub/names.h"

#include <algorithm>

namespace plinth::hub {
namespace {

constexpr size_t kSegmentBytesMax = 200;  // below every file system's 255, with room for ".part"
constexpr size_t kPathBytesMax = 512;
constexpr size_t kRevisionBytesMax = 128;
constexpr size_t kShownBytes = 200;

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool only(std::string_view text, std::string_view also) {
  return std::all_of(text.begin(), text.end(), [also](char c) {
    return is_alphanumeric(c) || also.find(c) != std::string_view::npos;
  });
}

// Whether each part between slashes is a plain name.
bool has_plain_segments(std::string_view path) {
  while (true) {
    const size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    if (segment.empty() || segment.size() > kSegmentBytesMax) return false;
    if (segment == "." || segment == "..") return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace

Status check_repository(std::string_view name) {
  const bool fine = std::count(name.begin(), name.end(), '/') == 1 && has_plain_segments(name) &&
                    only(name, "._-/") && name.front() != '-' && name.front() != '.';
  if (!fine) return invalid("'{}' is not the name of a repository: ORG/NAME", printable(name));
  return {};
}

Status check_revision(std::string_view revision) {
  if (!has_plain_segments(revision) || revision.size() > kRevisionBytesMax ||
      !only(revision, "._-+/") || revision.front() == '-')
    return invalid("'{}' is not a revision: a branch, a tag or a commit", printable(revision));
  return {};
}

Status check_path(std::string_view path) {
  if (!has_plain_segments(path) || path.size() > kPathBytesMax || !only(path, "._-+=@ ()/"))
    return invalid("'{}' is not a path that a repository's file may have", printable(path));
  return {};
}

bool is_hex(std::string_view text, size_t digits) {
  return text.size() == digits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string printable(std::string_view text) {
  std::string shown(text.substr(0, kShownBytes));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  if (text.size() > kShownBytes) shown += "...";
  return shown;
}

}  // namespace plinth::hub
