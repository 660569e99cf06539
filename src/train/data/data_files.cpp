#include "train/data/data_files.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>

namespace plinth::train {
namespace {

namespace fs = std::filesystem;

Path kind_of(const Path& path) {
  return path.extension() == ".zst" ? path.stem().extension() : path.extension();
}

bool is_shard(const Path& path) {
  return path.filename().string().starts_with("documents-") && kind_of(path) == ".jsonl";
}

bool is_data(const Path& path) {
  return kind_of(path) == ".jsonl" || is_plain_text(path);
}

Result<std::vector<Path>> files_below(const Path& folder) {
  std::error_code error;
  const bool corpus = fs::exists(folder / "manifest.json", error);
  std::vector<Path> files;
  auto it = fs::recursive_directory_iterator(folder, error);
  for (const auto end = fs::recursive_directory_iterator(); !error && it != end;
       it.increment(error))
    if (it->is_regular_file(error) && (corpus ? is_shard(it->path()) : is_data(it->path())))
      files.push_back(it->path());
  if (error) return not_found("{}: {}", folder.string(), error.message());
  if (files.empty())
    return not_found("{}: no {} in this folder", folder.string(),
                     corpus ? "documents-*.jsonl.zst" : ".jsonl, .txt or .md file");
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

bool is_plain_text(const Path& path) {
  const Path kind = kind_of(path);
  return kind == ".txt" || kind == ".md";
}

Result<std::vector<Path>> data_files(std::span<const Path> paths) {
  std::vector<Path> files;
  for (const auto& path : paths) {
    std::error_code error;
    if (!fs::exists(path, error)) return not_found("{}: there is no such file", path.string());
    if (!fs::is_directory(path, error)) {
      files.push_back(path);
      continue;
    }
    PLINTH_TRY(const auto below, files_below(path));
    files.insert(files.end(), below.begin(), below.end());
  }
  return files;
}

}  // namespace plinth::train
