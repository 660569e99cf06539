#include "hub/listing.h"

#include <algorithm>

#include "core/json.h"
#include "hub/names.h"

namespace plinth::hub {
namespace {

constexpr size_t kFilesMax = 100'000;
constexpr int64_t kFileBytesMax = int64_t{1} << 44;  // 16 TiB
constexpr size_t kPathBytesMax = 4096;
constexpr size_t kSha1Digits = 40;
constexpr size_t kSha256Digits = 64;

// Names that only an attack has. A file that is merely oddly named, in Chinese for one, is fine as
// long as nobody wants it.
bool leads_outside(std::string_view path) {
  if (path.empty() || path.front() == '/' || path.size() > kPathBytesMax) return true;
  if (path.find('\\') != std::string_view::npos) return true;
  if (std::any_of(path.begin(), path.end(), [](char c) { return c >= 0 && c < ' '; })) return true;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    if (segment.empty() || segment == "." || segment == "..") return true;
    begin = end + 1;
  }
  return false;
}

Status append(File file, Listing& listing) {
  if (leads_outside(file.path))
    return invalid("the hub lists a file '{}': a path that leads out of its repository",
                   printable(file.path));
  if (file.size < 0 || file.size > kFileBytesMax)
    return invalid("the hub lists {} with {} bytes, outside 0..{}", printable(file.path), file.size,
                   kFileBytesMax);
  if (listing.files.size() == kFilesMax)
    return exhausted("the repository has more than {} files", kFilesMax);
  listing.files.push_back(std::move(file));
  return {};
}

std::string hex_or_empty(const Json& object, std::string_view key, size_t digits) {
  std::string text = string_or(object, key, "");
  return is_hex(text, digits) ? text : std::string();
}

Result<int64_t> size_of(const Json& entry, std::string_view key, std::string_view path) {
  const auto size = get_int(entry, key);
  if (!size) return invalid("the hub lists {}: {}", printable(path), size.error().message);
  return *size;
}

// The commit at the head of a ModelScope listing. LatestCommitter has it whole, or eight digits of
// it; then the file that it changed last has it whole.
std::string modelscope_commit(const Json& data, const std::vector<std::string>& revisions) {
  const auto latest = data.find("LatestCommitter");
  if (latest == data.end() || !latest->is_object()) return {};
  for (const char* key : {"Id", "Revision"}) {
    const std::string whole = hex_or_empty(*latest, key, kSha1Digits);
    if (!whole.empty()) return whole;
  }
  const std::string head = hex_or_empty(*latest, "ShortId", 8);
  for (const std::string& revision : revisions)
    if (!head.empty() && revision.starts_with(head)) return revision;
  return {};
}

}  // namespace

Result<std::string> parse_hugging_face_commit(std::string_view json) {
  PLINTH_TRY(const Json document, parse_json(json, "the hub's answer"));
  std::string commit = hex_or_empty(document, "sha", kSha1Digits);
  if (commit.empty()) return invalid("the hub's answer names no commit ('sha')");
  return commit;
}

Status append_hugging_face_page(std::string_view json, Listing& listing) {
  PLINTH_TRY(const Json page, parse_json(json, "the hub's listing"));
  if (!page.is_array())
    return invalid("the hub's listing is {}, not a list of files", page.type_name());
  for (const Json& entry : page) {
    if (string_or(entry, "type", "") != "file") continue;
    File file{.path = string_or(entry, "path", "")};
    PLINTH_TRY(file.size, size_of(entry, "size", file.path));
    if (const auto lfs = entry.find("lfs"); lfs != entry.end() && lfs->is_object()) {
      file.sha256 = hex_or_empty(*lfs, "oid", kSha256Digits);
      PLINTH_TRY(file.size, size_of(*lfs, "size", file.path));
    } else {
      file.git_sha1 = hex_or_empty(entry, "oid", kSha1Digits);
    }
    PLINTH_TRY(append(std::move(file), listing));
  }
  return {};
}

Result<Listing> parse_modelscope_listing(std::string_view json) {
  PLINTH_TRY(const Json document, parse_json(json, "the hub's listing"));
  if (!bool_or(document, "Success", false) && int_or(document, "Code", 0) != 200)
    return not_found("the hub says: {}", printable(string_or(document, "Message", "no success")));
  const auto data = document.find("Data");
  if (data == document.end() || !data->is_object())
    return invalid("the hub's listing has no 'Data'");
  const auto files = data->find("Files");
  if (files == data->end() || files->is_null())
    return not_found("the hub has no files for this revision: it does not exist");
  if (!files->is_array())
    return invalid("the hub's listing: 'Files' is {}, not a list", files->type_name());

  Listing listing;
  std::vector<std::string> revisions;
  for (const Json& entry : *files) {
    if (string_or(entry, "Type", "") != "blob") continue;
    File file{.path = string_or(entry, "Path", ""),
              .sha256 = hex_or_empty(entry, "Sha256", kSha256Digits)};
    PLINTH_TRY(file.size, size_of(entry, "Size", file.path));
    PLINTH_TRY(append(std::move(file), listing));
    if (std::string commit = hex_or_empty(entry, "Revision", kSha1Digits); !commit.empty())
      revisions.push_back(std::move(commit));
  }
  listing.commit = modelscope_commit(*data, revisions);
  return listing;
}

}  // namespace plinth::hub
