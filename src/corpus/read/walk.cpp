#include "corpus/read/walk.h"

#include <algorithm>

namespace plinth::corpus {
namespace {

namespace fs = std::filesystem;

bool hidden(const Path& path) {
  return path.filename().string().starts_with(".");
}

// What a thing is that is neither a file nor a folder to go into.
std::string no_file(const fs::directory_entry& entry) {
  std::error_code error;
  const bool link = entry.is_symlink(error);
  if (link && entry.is_directory(error)) return "a link to a folder is not followed";
  switch (entry.status(error).type()) {
    case fs::file_type::not_found:
      return link ? "a link to nothing" : "it went away";
    case fs::file_type::fifo:
      return "a pipe is no file";
    case fs::file_type::socket:
      return "a socket is no file";
    case fs::file_type::block:
    case fs::file_type::character:
      return "a device is no file";
    default:
      return error ? error.message() : "it is no file";
  }
}

bool is_one_of(const Path& folder, std::span<const Path> folders) {
  std::error_code error;  // where one is missing: they are not the same
  return std::any_of(folders.begin(), folders.end(), [&](const Path& other) {
    return folder.filename() == other.filename() && fs::equivalent(folder, other, error);
  });
}

// What a run writes for itself, of whatever rank: the folder it works in, or a part to be merged.
bool is_of_a_run(const Path& folder) {
  std::error_code error;
  if (fs::is_regular_file(folder / "plan.json", error) &&
      fs::is_directory(folder / "pieces", error))
    return true;
  if (!fs::is_regular_file(folder / "part.json", error)) return false;
  constexpr size_t kHead = 256;
  const auto part = MappedFile::open(folder / "part.json");
  return part && part->text().substr(0, kHead).find("\"plinth-corpus-part\"") != part->text().npos;
}

// Folder by folder, so that one that cannot be read is known by name and its neighbours are read.
void walk_folder(const Path& root, const Path& folder, const std::string& prefix,
                 std::span<const Path> without, std::vector<InputFile>& out) {
  const auto name_of = [&](const Path& path) {
    return prefix + path.lexically_relative(root).generic_string();
  };
  std::error_code error;
  fs::directory_iterator it(folder, error);
  for (const fs::directory_iterator end; !error && it != end; it.increment(error)) {
    const Path& path = it->path();
    if (hidden(path)) continue;
    std::error_code unknown;  // of a link to nothing: it is neither
    if (it->is_directory(unknown) && !it->is_symlink(unknown)) {
      if (!is_one_of(path, without) && !is_of_a_run(path))
        walk_folder(root, path, prefix, without, out);
    } else if (it->is_regular_file(unknown)) {
      out.push_back({path, name_of(path), it->file_size(unknown)});
    } else {
      out.push_back({path, name_of(path), 0, no_file(*it)});
    }
  }
  if (error)
    out.push_back({folder, name_of(folder), 0, "the folder cannot be read: " + error.message()});
}

std::string own_name(const Path& input) {
  const Path name = (input / "").parent_path().filename();
  return name.empty() || name == "." || name == ".."
             ? fs::absolute(input).lexically_normal().parent_path().filename().string()
             : name.string();
}

}  // namespace

Result<std::vector<InputFile>> walk_inputs(std::span<const Path> inputs,
                                           std::span<const Path> without) {
  if (inputs.empty()) return invalid("refine: no input was given");
  std::vector<InputFile> out;
  for (const Path& input : inputs) {
    std::error_code error;
    const auto status = fs::status(input, error);
    if (!fs::exists(status)) return not_found("input {}: no such file or folder", input.string());
    if (fs::is_directory(status)) {
      walk_folder(input, input, inputs.size() > 1 ? own_name(input) + "/" : "", without, out);
      // The input itself is what was asked for.
      if (!out.empty() && !out.back().error.empty() && out.back().path == input)
        return make_error(Code::kUnavailable, "input {}: {}", input.string(), out.back().error);
    } else if (fs::is_regular_file(status)) {
      out.push_back({input, input.filename().generic_string(), fs::file_size(input, error)});
    } else {
      return invalid("input {}: {}", input.string(), no_file(fs::directory_entry(input, error)));
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
