#include "corpus/read/walk.h"

#include <algorithm>

namespace plinth::corpus {
namespace {

namespace fs = std::filesystem;

bool hidden(const Path& path) {
  return path.filename().string().starts_with(".");
}

Status walk_folder(const Path& root, const std::string& prefix, std::vector<InputFile>& out) {
  std::error_code error;
  auto it =
      fs::recursive_directory_iterator(root, fs::directory_options::skip_permission_denied, error);
  if (error) return not_found("input {}: {}", root.string(), error.message());
  for (const auto end = fs::recursive_directory_iterator(); it != end; it.increment(error)) {
    if (error)
      return make_error(Code::kUnavailable, "input {}: {}", root.string(), error.message());
    if (hidden(it->path())) {
      if (it->is_directory(error)) it.disable_recursion_pending();
      continue;
    }
    if (!it->is_regular_file(error)) continue;
    out.push_back({it->path(), prefix + it->path().lexically_relative(root).generic_string(),
                   it->file_size(error)});
  }
  if (error) return make_error(Code::kUnavailable, "input {}: {}", root.string(), error.message());
  return {};
}

std::string own_name(const Path& input) {
  const Path name = (input / "").parent_path().filename();
  return name.empty() || name == "." || name == ".."
             ? fs::absolute(input).lexically_normal().parent_path().filename().string()
             : name.string();
}

}  // namespace

Result<std::vector<InputFile>> walk_inputs(std::span<const Path> inputs) {
  if (inputs.empty()) return invalid("refine: no input was given");
  std::vector<InputFile> out;
  for (const Path& input : inputs) {
    std::error_code error;
    const auto status = fs::status(input, error);
    if (!fs::exists(status)) return not_found("input {}: no such file or folder", input.string());
    if (fs::is_directory(status)) {
      PLINTH_TRY(walk_folder(input, inputs.size() > 1 ? own_name(input) + "/" : "", out));
    } else {
      out.push_back({input, input.filename().generic_string(), fs::file_size(input, error)});
    }
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  const auto twin = std::adjacent_find(
      out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name == b.name; });
  if (twin != out.end())
    return invalid("inputs {} and {} would both be called {}", twin->path.string(),
                   std::next(twin)->path.string(), twin->name);
  return out;
}

}  // namespace plinth::corpus
