// For tests: what a run left in its folder.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "core/file.h"
#include "core/json.h"

namespace plinth::train {

inline std::string read_text(const Path& path) {
  auto text = read_file(path);
  EXPECT_TRUE(text) << path;
  return text ? *text : std::string();
}

inline void write_text(const Path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

// (step, loss, gradient norm, held-out loss) of each line of metrics.jsonl: what must not change by
// an interruption. Times may.
inline std::vector<std::string> losses_of(const Path& run_dir) {
  std::vector<std::string> lines;
  std::string text = read_text(run_dir / "metrics.jsonl");
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    const auto line = parse_json(std::string_view(text).substr(begin, end - begin), "metrics");
    EXPECT_TRUE(line);
    lines.push_back(
        to_text(Json{(*line)["step"], (*line)["loss"], (*line)["grad_norm"], (*line)["heldout"]}));
    begin = end + 1;
  }
  return lines;
}

// The state that `kill -9` would leave now: a copy of the folder as it lies on disk.
inline void copy_run(const Path& from, const Path& to) {
  std::filesystem::remove_all(to);
  std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
}

}  // namespace plinth::train
