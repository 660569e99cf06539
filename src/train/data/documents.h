// Reading the sources of a pretraining recipe: files and folders to documents.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "train/train.h"

namespace plinth::train {

struct Document {
  std::string text;
  bool markup = false;  // special tokens written out in the text count as such (chat rows)
};

// All documents of a source in the order of its files, empty ones left out.
Result<std::vector<Document>> read_documents(const Source& source);

// Unicode characters of UTF-8 text: bytes that don't continue one.
int64_t count_chars(std::string_view utf8);

}  // namespace plinth::train
