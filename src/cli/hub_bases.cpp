#include "cli/hub_bases.h"

#include <algorithm>
#include <filesystem>

#include "cli/bases.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/progress.h"
#include "store/store.h"

namespace plinth::cli {
namespace {

// The pulled repositories. Imported paths are stored in canonical form, so this is, too.
Path hub_root(const Path& home) {
  std::error_code code;
  const Path canonical = std::filesystem::weakly_canonical(home, code);
  return (code ? home : canonical) / "hub";
}

// An option beside the reference wins only where the reference is silent.
Status merge(std::string& from_reference, const std::string& option, const char* name) {
  if (option.empty() || option == from_reference) return {};
  if (!from_reference.empty())
    return invalid("{} {}: the address says {}", name, option, from_reference);
  from_reference = option;
  return {};
}

// The domain model that would lose its base, if there is one.
Result<std::optional<std::string>> standing_on(const store::Store& store, const store::Base& base) {
  PLINTH_TRY(const auto bases, store.bases());
  const bool has_other_name =
      std::any_of(bases.begin(), bases.end(), [&](const store::Base& other) {
        return other.digest == base.digest && other.name != base.name;
      });
  if (has_other_name) return std::optional<std::string>();
  PLINTH_TRY(const auto aliases, store.aliases());
  for (const auto& alias : aliases) {
    PLINTH_TRY(const auto release, store.release(alias.release_digest));
    if (release.base_digest == base.digest) return std::optional<std::string>(alias.name);
  }
  return std::optional<std::string>();
}

int64_t bytes_of(const Path& path) {
  std::error_code code;
  if (std::filesystem::is_regular_file(path, code))
    return static_cast<int64_t>(std::filesystem::file_size(path, code));
  int64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path, code))
    if (entry.is_regular_file(code)) bytes += static_cast<int64_t>(entry.file_size(code));
  return bytes;
}

// What of a base belongs to the home: the commit's folder of a pulled one, the artifact of one that
// was made here. Nothing for a path that was imported where it is.
std::optional<Path> owned_files(const Path& home, const Path& base) {
  if (auto snapshot = hub::snapshot_of(hub_root(home), base)) return snapshot;
  std::error_code code;
  const Path artifacts = std::filesystem::weakly_canonical(home / "artifacts", code);
  const Path path = std::filesystem::weakly_canonical(base, code);
  const Path relative = path.lexically_relative(artifacts);
  if (relative.empty() || *relative.begin() == ".." || relative == ".") return std::nullopt;
  return path;
}

// Removes them unless another base has the same; returns how many bytes that freed.
Result<int64_t> remove_owned(const store::Store& store, const Path& home, const Path& owned) {
  PLINTH_TRY(const auto bases, store.bases());
  for (const auto& base : bases)
    if (owned_files(home, base.path) == owned) return int64_t{0};
  const int64_t bytes = bytes_of(owned);
  PLINTH_TRY(remove_tree(owned));
  // ORG/NAME and ORG go when nothing else is in them; the system refuses to remove a full folder.
  const Path root = hub_root(home);
  std::error_code code;
  for (Path folder = owned.parent_path(); hub::snapshot_of(root, owned) && folder != root;
       folder = folder.parent_path())
    if (!std::filesystem::remove(folder, code) || code) break;
  return bytes;
}

}  // namespace

Result<Path> pull_base(const std::string& text, const HubOptions& options, const Context& context) {
  PLINTH_TRY(auto reference, hub::parse_reference(text));
  PLINTH_TRY(merge(reference.revision, options.revision, "--revision"));
  PLINTH_TRY(merge(reference.file, options.file, "--file"));
  PLINTH_TRY(const auto access, hub::access_from_environment(reference.kind, options.address));

  // Megabytes on the line: bytes are too long to read.
  std::optional<Progress> progress;
  const Stopwatch watch;
  int64_t first = -1;
  const auto show = [&](const hub::Moment& moment) {
    if (!progress) {
      first = moment.bytes_done;
      progress.emplace(reference.repository + " (MB)", moment.bytes_total / 1'000'000,
                       context.quiet);
    }
    const double rate =
        static_cast<double>(moment.bytes_done - first) / 1e6 / std::max(watch.seconds(), 1e-3);
    progress->update(moment.bytes_done / 1'000'000,
                     fmt::format("{:.1f} MB/s, {}", rate, moment.file));
  };
  PLINTH_TRY(const auto pulled, hub::pull(reference, access, hub_root(context.home), show));
  if (progress) progress->finish();
  if (!context.quiet && pulled.bytes_fetched == 0)
    fmt::print(stderr, "{}: everything is there already\n", hub::name_of(reference));
  return pulled.path;
}

std::optional<hub::Origin> origin_of(const std::string& name, const Context& context) {
  std::error_code code;
  Path path = std::filesystem::canonical(name, code);
  if (code && std::filesystem::exists(context.home / "plinth.db", code)) {
    const auto store = store::Store::open(context.home);
    if (!store) return std::nullopt;
    const auto base = (*store)->base(name);
    if (!base) return std::nullopt;
    path = base->path;
  }
  const auto snapshot = hub::snapshot_of(hub_root(context.home), path);
  if (!snapshot) return std::nullopt;
  auto origin = hub::read_origin(*snapshot);
  if (!origin) return std::nullopt;
  return *std::move(origin);
}

Status remove_base(const std::string& name, const Context& context) {
  if (name == kEmbeddedBase) return invalid("'{}' is the base inside this binary", kEmbeddedBase);
  PLINTH_TRY(const auto store, store::Store::open(context.home));
  PLINTH_TRY(const auto base, store->base(name));
  PLINTH_TRY(const auto user, standing_on(*store, base));
  if (user)
    return make_error(Code::kFailedPrecondition,
                      "{}: the domain model {} stands on this base; it could not be served again",
                      name, *user);
  PLINTH_TRY(store->remove_base(name));
  const auto owned = owned_files(context.home, base.path);
  int64_t bytes = 0;
  if (owned) {
    PLINTH_TRY(bytes, remove_owned(*store, context.home, *owned));
  }
  if (context.json)
    fmt::print("{}\n", to_text(Json{{"name", name}, {"bytes_freed", bytes}}));
  else if (owned)
    fmt::print("{} removed, {} MB freed\n", name, bytes / 1'000'000);
  else
    fmt::print("{} forgotten; {} stays as it is\n", name, base.path.string());
  return {};
}

}  // namespace plinth::cli
