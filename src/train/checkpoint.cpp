#include "train/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <system_error>
#include <utility>

#include "core/hash.h"
#include "core/log.h"

namespace plinth::train {
namespace {

constexpr std::string_view kMagic = "PLNCKPT1";
constexpr size_t kDigestBytes = 64;
constexpr uint64_t kHeaderBytesMax = 1 << 20;
constexpr size_t kKept = 2;

std::string_view bytes_of(std::span<const float> floats) {
  return {reinterpret_cast<const char*>(floats.data()), floats.size_bytes()};
}

// The step in "checkpoint-000120.bin"; -1 for any other name.
int64_t step_of(const Path& path) {
  const std::string name = path.filename().string();
  constexpr std::string_view kPrefix = "checkpoint-";
  constexpr std::string_view kSuffix = ".bin";
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return -1;
  const char* begin = name.data() + kPrefix.size();
  const char* end = name.data() + name.size() - kSuffix.size();
  int64_t step = -1;
  const auto [stopped, code] = std::from_chars(begin, end, step);
  return code == std::errc() && stopped == end ? step : -1;
}

// All checkpoints of a folder, newest first.
std::vector<Path> checkpoints(const Path& run_dir) {
  std::vector<std::pair<int64_t, Path>> found;
  std::error_code ignored;  // a folder that is not there has no checkpoints
  for (const auto& entry : std::filesystem::directory_iterator(run_dir, ignored))
    if (const int64_t step = step_of(entry.path()); step >= 0)
      found.emplace_back(step, entry.path());
  std::sort(found.rbegin(), found.rend());
  std::vector<Path> paths;
  paths.reserve(found.size());
  for (auto& [step, path] : found) paths.push_back(std::move(path));
  return paths;
}

Json header_of(const CheckpointState& state, std::span<const Arena> arenas) {
  Json header = {{"step", state.step},   {"cursor", state.cursor}, {"tokens", state.tokens},
                 {"extra", state.extra}, {"recipe", state.recipe}, {"arenas", Json::array()}};
  for (const auto& arena : arenas)
    header["arenas"].push_back({{"name", arena.name}, {"floats", arena.floats.size()}});
  return header;
}

Status write_all(const Path& path, std::span<const std::string_view> parts) {
  PLINTH_TRY(auto file, OutputFile::create(path));
  Sha256 digest;
  for (const auto part : parts) {
    digest.update(part);
    PLINTH_TRY(file.write(part));
  }
  PLINTH_TRY(file.write(digest.hex()));
  PLINTH_TRY(file.sync());
  return file.close();
}

Result<CheckpointState> state_from(const Json& header, const Path& path) {
  CheckpointState state;
  PLINTH_TRY(state.step, get_int(header, "step"));
  PLINTH_TRY(state.cursor, get_int(header, "cursor"));
  PLINTH_TRY(state.tokens, get_int(header, "tokens"));
  if (header.contains("extra")) state.extra = header["extra"];
  const auto recipe = header.find("recipe");
  if (recipe == header.end() || !recipe->is_object())
    return data_loss("{}: the header has no recipe", path.string());
  for (const auto& [key, value] : recipe->items()) {
    if (!value.is_string())
      return data_loss("{}: recipe key {} is not a string", path.string(), key);
    state.recipe[key] = value.get<std::string>();
  }
  return state;
}

// Checks that the file's arenas are exactly ours.
Status check_arenas(const Json& header, std::span<const Arena> arenas, const Path& path) {
  const auto list = header.find("arenas");
  if (list == header.end() || !list->is_array() || list->size() != arenas.size())
    return data_loss("{}: the header does not list {} arenas", path.string(), arenas.size());
  for (size_t i = 0; i < arenas.size(); ++i) {
    const auto name = string_or((*list)[i], "name", "");
    const auto floats = int_or((*list)[i], "floats", -1);
    if (name != arenas[i].name || floats != static_cast<int64_t>(arenas[i].floats.size()))
      return make_error(Code::kFailedPrecondition,
                        "{}: arena {} of {} floats where {} of {} is due", path.string(), name,
                        floats, arenas[i].name, arenas[i].floats.size());
  }
  return {};
}

Result<CheckpointState> load_one(const Path& path, const RecipeIdentity& identity,
                                 std::span<const Arena> arenas) {
  PLINTH_TRY(const auto file, MappedFile::open(path));
  std::string_view text = file.text();
  const size_t fixed = kMagic.size() + sizeof(uint64_t) + kDigestBytes;
  if (text.size() < fixed || !text.starts_with(kMagic))
    return data_loss("{}: not a checkpoint ({} bytes)", path.string(), text.size());
  if (sha256_hex(text.substr(0, text.size() - kDigestBytes)) !=
      text.substr(text.size() - kDigestBytes))
    return data_loss("{}: the sha-256 at its end does not match its content", path.string());
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, text.data() + kMagic.size(), sizeof header_bytes);
  if (header_bytes > kHeaderBytesMax || header_bytes > text.size() - fixed)
    return data_loss("{}: header of {} bytes", path.string(), header_bytes);
  text.remove_prefix(kMagic.size() + sizeof(uint64_t));
  text.remove_suffix(kDigestBytes);
  PLINTH_TRY(const auto header, parse_json(text.substr(0, header_bytes), path.string()));
  PLINTH_TRY(auto state, state_from(header, path));
  PLINTH_TRY(check_same_recipe(state.recipe, identity, path));
  PLINTH_TRY(check_arenas(header, arenas, path));
  text.remove_prefix(header_bytes);
  size_t floats_bytes = 0;
  for (const auto& arena : arenas) floats_bytes += arena.floats.size_bytes();
  if (text.size() != floats_bytes)
    return data_loss("{}: {} bytes of floats instead of {}", path.string(), text.size(),
                     floats_bytes);
  for (const auto& arena : arenas) {
    std::memcpy(arena.floats.data(), text.data(), arena.floats.size_bytes());
    text.remove_prefix(arena.floats.size_bytes());
  }
  return state;
}

}  // namespace

Status save_checkpoint(const Path& run_dir, const CheckpointState& state,
                       std::span<const Arena> arenas) {
  const std::string header = to_text(header_of(state, arenas));
  const auto header_bytes = static_cast<uint64_t>(header.size());
  std::vector<std::string_view> parts = {
      kMagic, {reinterpret_cast<const char*>(&header_bytes), sizeof header_bytes}, header};
  for (const auto& arena : arenas) parts.push_back(bytes_of(arena.floats));

  const Path temporary = run_dir / "checkpoint.tmp";
  const Path target = run_dir / fmt::format("checkpoint-{:07}.bin", state.step);
  if (auto written = write_all(temporary, parts); !written) {
    if (auto removed = remove_tree(temporary); !removed) log_warn("{}", removed.error().message);
    return written;
  }
  std::error_code error;
  std::filesystem::rename(temporary, target, error);
  if (error)
    return make_error(Code::kInternal, "{}: rename to {}: {}", temporary.string(), target.string(),
                      error.message());
  PLINTH_TRY(sync_directory(run_dir));
  const auto all = checkpoints(run_dir);
  for (size_t i = kKept; i < all.size(); ++i) PLINTH_TRY(remove_tree(all[i]));
  return {};
}

bool has_checkpoint(const Path& run_dir) {
  return !checkpoints(run_dir).empty();
}

Result<std::optional<CheckpointState>> load_checkpoint(const Path& run_dir,
                                                       const RecipeIdentity& identity,
                                                       std::span<const Arena> arenas) {
  const auto all = checkpoints(run_dir);
  for (const auto& path : all) {
    auto state = load_one(path, identity, arenas);
    if (state) return std::optional(*std::move(state));
    if (state.error().code != Code::kDataLoss) return std::move(state).error();
    log_warn("{}", state.error().message);
  }
  // To begin anew would undo what the folder's owner believes to be done.
  if (!all.empty())
    return data_loss(
        "{}: none of the {} checkpoints is whole; use another run folder to begin anew",
        run_dir.string(), all.size());
  return std::optional<CheckpointState>();
}

Status check_same_recipe(const std::map<std::string, std::string>& was,
                         const RecipeIdentity& identity, const Path& file) {
  std::map<std::string, std::pair<std::string, std::string>> both;
  for (const auto& [key, value] : was) both[key] = {value, "(absent)"};
  for (const auto& [key, value] : *identity.fields) {
    auto& pair = both.try_emplace(key, "(absent)", "").first->second;
    pair.second = value;
  }
  for (const auto& [key, pair] : both) {
    const auto& allowed = identity.may_differ;
    if (pair.first == pair.second ||
        std::find(allowed.begin(), allowed.end(), key) != allowed.end())
      continue;
    return make_error(
        Code::kFailedPrecondition,
        "{} was made with {} = {}, the recipe says {}: use another run folder, or put "
        "the value back",
        file.string(), key, pair.first, pair.second);
  }
  return {};
}

}  // namespace plinth::train
