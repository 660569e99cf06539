#include <algorithm>

#include "core/hash.h"
#include "core/interrupt.h"
#include "core/json.h"
#include "hub/hub.h"
#include "hub/list.h"
#include "hub/names.h"
#include "hub/part_file.h"

namespace plinth::hub {
namespace {

constexpr const char* kOriginFile = "origin.json";
constexpr int64_t kSpareBytes = int64_t{64} << 20;  // left for the database and the log
constexpr int kSnapshotDepth = 4;                   // KIND/ORG/NAME/COMMIT

// The folder's last name. A hub that does not tell its commit is pinned by what it lists.
std::string snapshot_name(const Listing& listing) {
  if (!listing.commit.empty()) return listing.commit;
  std::string lines;
  for (const File& file : listing.files)
    lines += fmt::format("{} {} {}{}\n", file.path, file.size, file.sha256, file.git_sha1);
  return "listing-" + sha256_hex(lines).substr(0, 32);
}

struct Plan {
  std::vector<File> missing;
  int64_t bytes_total = 0;
  int64_t bytes_there = 0;  // complete files and parts
};

// Complete files are read again: a disk, or a hand, may have changed them.
Result<Plan> plan_for(const std::vector<File>& files, const Path& folder) {
  Plan plan;
  for (const File& file : files) {
    PLINTH_TRY(check_interrupted());
    plan.bytes_total += file.size;
    if (is_complete(folder / file.path, file)) {
      plan.bytes_there += file.size;
    } else {
      plan.bytes_there += std::min(part_size(folder / file.path), file.size);
      plan.missing.push_back(file);
    }
  }
  return plan;
}

Status check_space(const Plan& plan, const Path& folder) {
  const int64_t needed = plan.bytes_total - plan.bytes_there;
  std::error_code code;
  const auto space = std::filesystem::space(folder, code);
  if (code || needed == 0) return {};
  const auto free_bytes =
      static_cast<int64_t>(std::min<uintmax_t>(space.available, static_cast<uintmax_t>(INT64_MAX)));
  if (needed <= free_bytes - kSpareBytes) return {};
  return exhausted("{}: the download needs {} MB and {} MB to spare, {} MB are free",
                   folder.string(), needed / 1'000'000 + 1, kSpareBytes / 1'000'000,
                   free_bytes / 1'000'000);
}

Status write_origin(const Path& folder, const Access& access, const Reference& reference,
                    const Listing& listing) {
  const Json origin = {{"address", access.address},
                       {"repository", reference.repository},
                       {"revision", reference.revision},
                       {"commit", listing.commit}};
  return write_file_atomic(folder / kOriginFile, to_text(origin) + "\n");
}

}  // namespace

Result<Pulled> pull(const Reference& reference, const Access& access, const Path& root,
                    const std::function<void(const Moment&)>& on_progress) {
  PLINTH_TRY(check(reference));
  Client client(access, reference);
  PLINTH_TRY(const Listing listing, list(client, access, reference));
  auto files = files_of_base(listing, reference.file);
  if (!files)
    return Error{files.error().code,
                 fmt::format("{}: {}", name_of(reference), files.error().message)};

  const Path folder = root / (reference.kind == Kind::kHuggingFace ? "huggingface" : "modelscope") /
                      reference.repository / snapshot_name(listing);
  PLINTH_TRY(make_directories(folder));
  PLINTH_TRY(const FileLock lock, FileLock::take(folder / ".lock"));
  PLINTH_TRY(const Plan plan, plan_for(*files, folder));
  PLINTH_TRY(check_space(plan, folder));

  int64_t done = plan.bytes_there;
  for (const File& file : plan.missing) {
    PLINTH_TRY(auto part, PartFile::open(folder / file.path, file));
    int64_t size = part.size();
    const auto moved = [&](int64_t now) {
      done += now - size;
      size = now;
      on_progress({.bytes_done = done, .bytes_total = plan.bytes_total, .file = file.path});
    };
    PLINTH_TRY(
        client.file(file_url(access, reference, listing, file.path), part, file.size, moved));
    PLINTH_TRY(part.finish());
  }
  PLINTH_TRY(write_origin(folder, access, reference, listing));

  const bool is_gguf = files->size() == 1 && files->front().path.ends_with(".gguf");
  return Pulled{.path = is_gguf ? folder / files->front().path : folder,
                .commit = listing.commit,
                .bytes_fetched = plan.bytes_total - plan.bytes_there};
}

std::optional<Path> snapshot_of(const Path& root, const Path& path) {
  const Path relative = path.lexically_normal().lexically_relative(root.lexically_normal());
  Path snapshot = root;
  int depth = 0;
  for (const Path& name : relative) {
    if (name == ".." || name == "." || name.empty()) return std::nullopt;
    snapshot /= name;
    if (++depth == kSnapshotDepth) return snapshot;
  }
  return std::nullopt;
}

Result<Origin> read_origin(const Path& snapshot) {
  const Path path = snapshot / kOriginFile;
  PLINTH_TRY(const auto text, read_file(path, 1 << 20));
  PLINTH_TRY(const Json json, parse_json(text, path.string()));
  return Origin{.address = string_or(json, "address", ""),
                .repository = string_or(json, "repository", ""),
                .revision = string_or(json, "revision", ""),
                .commit = string_or(json, "commit", "")};
}

}  // namespace plinth::hub
