#include "corpus/stage/piece_store.h"

#include <algorithm>
#include <cstdio>
#include <optional>

#include "corpus/stage/piece.h"

namespace plinth::corpus {
namespace {

struct Name {
  size_t unit = 0;
  size_t part = 0;
  auto operator<=>(const Name&) const = default;
};

std::string text_of(const Name& name) {
  return fmt::format("{:08}-{:06}.piece", name.unit, name.part);
}

std::optional<Name> name_of(const std::string& file) {
  Name name;
  if (std::sscanf(file.c_str(), "%zu-%zu.piece", &name.unit, &name.part) != 2 ||
      text_of(name) != file)
    return {};
  return name;
}

}  // namespace

Path PieceStore::path_of(size_t unit, size_t part) const {
  return folder_ / text_of({unit, part});
}

Result<PieceStore> PieceStore::open(const Path& folder) {
  PLINTH_TRY(make_directories(folder));
  PieceStore store(folder);
  std::vector<Name> names;
  std::vector<Path> gone;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (const auto name = name_of(entry.path().filename().string()))
      names.push_back(*name);
    else
      gone.push_back(entry.path());
  }
  if (error) return make_error(Code::kUnavailable, "{}: {}", folder.string(), error.message());
  std::sort(names.begin(), names.end());
  for (const Name& name : names) {
    Parts& parts = store.units_[name.unit];
    const Path path = folder / text_of(name);
    const auto piece = Piece::open(path);
    if (name.part == parts.n && !parts.complete && piece)
      parts = {parts.n + 1, piece->last()};
    else
      gone.push_back(path);
  }
  for (const Path& path : gone) PLINTH_TRY(remove_tree(path));
  return store;
}

bool PieceStore::has(size_t unit, size_t part) const {
  const auto it = units_.find(unit);
  return it != units_.end() && part < it->second.n;
}

bool PieceStore::complete(size_t unit) const {
  const auto it = units_.find(unit);
  return it != units_.end() && it->second.complete;
}

Status PieceStore::put(size_t unit, size_t part, std::string_view bytes) const {
  return write_file_atomic(path_of(unit, part), bytes);
}

void PieceStore::note(size_t unit, size_t part, bool last) {
  units_[unit] = {part + 1, last};
}

std::vector<Path> PieceStore::paths(size_t unit) const {
  std::vector<Path> out;
  const auto it = units_.find(unit);
  if (it == units_.end()) return out;
  for (size_t part = 0; part < it->second.n; ++part) out.push_back(path_of(unit, part));
  return out;
}

}  // namespace plinth::corpus
