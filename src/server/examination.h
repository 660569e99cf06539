// How a base and what stands on it are examined: questions as serving would put them.
#pragma once

#include <cstdint>
#include <memory>

#include "core/result.h"
#include "eval/eval.h"
#include "model/model.h"

namespace plinth::server {

// With the base's own chat template, where it has one; without, only text suites can be run.
Result<eval::EvalOptions> examination(const std::shared_ptr<const model::Model>& base,
                                      uint64_t seed);

}  // namespace plinth::server
