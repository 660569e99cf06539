// What a path in data.files means.
//
//   x.jsonl            rows of JSON, one a line (conversation.h, and {"text"})
//   x.txt, x.md        one document of plain text
//   a refined corpus   its documents-*.jsonl.zst; its rejects are not read
//   any other folder   all files of these kinds in it and below, in the order of their paths
//
// A further .zst means zstd. Other names are taken for rows of JSON.
#pragma once

#include <span>
#include <vector>

#include "core/file.h"
#include "core/result.h"

namespace plinth::train {

// The files that the paths mean. kNotFound: a path that is not there, a folder without such files.
Result<std::vector<Path>> data_files(std::span<const Path> paths);

// Is this file plain text rather than rows?
bool is_plain_text(const Path& path);

}  // namespace plinth::train
