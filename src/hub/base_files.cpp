// Which of a repository's files a base needs.
#include <algorithm>
#include <array>
#include <set>
#include <tuple>

#include "hub/listing.h"
#include "hub/names.h"

namespace plinth::hub {
namespace {

// What Model::open reads beside the weights.
bool is_configuration(std::string_view path) {
  static constexpr std::array<std::string_view, 11> kNames{"config.json",
                                                           "generation_config.json",
                                                           "tokenizer.json",
                                                           "tokenizer_config.json",
                                                           "tokenizer.model",
                                                           "special_tokens_map.json",
                                                           "added_tokens.json",
                                                           "vocab.json",
                                                           "merges.txt",
                                                           "chat_template.jinja",
                                                           "model.safetensors.index.json"};
  return std::find(kNames.begin(), kNames.end(), path) != kNames.end();
}

bool is_pickled(const File& file) {
  return file.path.ends_with(".bin") || file.path.ends_with(".pt") || file.path.ends_with(".pth");
}

bool is_in_root(const File& file) {
  return file.path.find('/') == std::string::npos;
}

const File* find(const Listing& listing, std::string_view path) {
  const auto found = std::find_if(listing.files.begin(), listing.files.end(),
                                  [path](const File& file) { return file.path == path; });
  return found == listing.files.end() ? nullptr : &*found;
}

// Some repositories hold their weights twice, for another program (consolidated.safetensors), or
// once whole and once in shards: Model::open reads the shards when there is an index.
std::vector<File> safetensors_of(const Listing& listing) {
  const bool has_shards = find(listing, "model.safetensors.index.json") != nullptr;
  std::vector<File> weights;
  for (const File& file : listing.files) {
    if (!is_in_root(file) || !file.path.ends_with(".safetensors")) continue;
    if (!file.path.starts_with("model")) continue;
    if (has_shards == (file.path == "model.safetensors")) continue;
    weights.push_back(file);
  }
  return weights;
}

std::string names_with_sizes(const std::vector<File>& files) {
  constexpr size_t kShown = 20;
  std::string text;
  for (size_t i = 0; i < std::min(files.size(), kShown); ++i)
    text += fmt::format("\n  {}  {} MB", printable(files[i].path), files[i].size / 1'000'000);
  if (files.size() > kShown) text += fmt::format("\n  and {} more", files.size() - kShown);
  return text;
}

// Paths that may be created on this disk, each once.
Status check_names(const std::vector<File>& files) {
  std::set<std::string_view> seen;
  for (const File& file : files) {
    PLINTH_TRY(check_path(file.path));
    if (!seen.insert(file.path).second)
      return invalid("the hub lists {} twice", printable(file.path));
  }
  return {};
}

Result<std::vector<File>> one_gguf(const Listing& listing, std::string_view name) {
  const File* file = find(listing, name);
  if (file == nullptr) return not_found("the repository has no file {}", printable(name));
  PLINTH_TRY(check_path(file->path));
  return std::vector<File>{*file};
}

}  // namespace

Result<std::vector<File>> files_of_base(const Listing& listing, std::string_view file) {
  if (!file.empty()) return one_gguf(listing, file);
  std::vector<File> needed = safetensors_of(listing);
  if (!needed.empty()) {
    if (find(listing, "config.json") == nullptr)
      return not_found("the repository has safetensors but no config.json: not a base");
    for (const File& entry : listing.files)
      if (is_configuration(entry.path)) needed.push_back(entry);
    std::sort(needed.begin(), needed.end(), [](const File& a, const File& b) {
      return std::tie(a.size, a.path) < std::tie(b.size, b.path);
    });
    PLINTH_TRY(check_names(needed));
    return needed;
  }
  std::vector<File> gguf;
  for (const File& entry : listing.files)
    if (entry.path.ends_with(".gguf")) gguf.push_back(entry);
  if (gguf.size() == 1) return one_gguf(listing, gguf.front().path);
  if (gguf.size() > 1)
    return invalid("the repository has {} GGUF files; choose one with --file:{}", gguf.size(),
                   names_with_sizes(gguf));
  const bool pickled = std::any_of(listing.files.begin(), listing.files.end(), &is_pickled);
  return not_found("none of the repository's {} files is a base: {}", listing.files.size(),
                   pickled ? "its weights are pickled, which is never opened; look for a "
                             "safetensors or GGUF copy"
                           : "no model.safetensors, no GGUF");
}

}  // namespace plinth::hub
