// Names on the command line: what MODEL means.
//
//   plinth-zh-base        the base built into this binary
//   NAME                  a base that `plinth model import` registered
//   path                  a GGUF file or a Hugging Face folder
//   MODEL+ADAPTER         any of these with a PEFT folder or a GGUF adapter on top
#pragma once

#include <memory>
#include <string>

#include "core/file.h"
#include "core/result.h"
#include "model/model.h"

namespace plinth::cli {

inline constexpr const char* kEmbeddedBase = "plinth-zh-base";

// The tokenizer of a base, by the same names; also a path to a tokenizer file alone.
Result<std::shared_ptr<const text::Tokenizer>> open_tokenizer(const std::string& name,
                                                              const Path& home);

struct Loaded {
  std::shared_ptr<const model::Model> base;
  std::shared_ptr<const model::Adapter> adapter;  // null: the plain base
};

Result<std::shared_ptr<const model::Model>> open_base(const std::string& name, const Path& home);
Result<Loaded> open_model(const std::string& name, const Path& home);

}  // namespace plinth::cli
