// --kv-type: how an engine keeps keys and values.
#pragma once

#include <string>

#include "cli/command.h"
#include "engine/engine.h"

namespace plinth::cli {

struct KvOption {
  std::string type = "f16";

  void add_to(Command& command) {
    command.option("--kv-type", type, "keys and values as f32, f16, or q8 (half of f16's memory)");
  }

  Status read_into(engine::EngineOptions& options) const {
    const auto parsed = tensor::parse_kv_type(type);
    if (!parsed) return invalid("--kv-type {}: is not f32, f16 or q8", type);
    options.kv_type = *parsed;
    return {};
  }
};

}  // namespace plinth::cli
