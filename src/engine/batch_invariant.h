// Operations whose result for a row does not depend on which rows it is computed with: what
// EngineOptions::deterministic runs on.
#pragma once

#include "tensor/ops.h"

namespace plinth::engine {

// default_ops() with a `linear` that always works on few rows at a time. All other operations the
// engine uses compute each row for itself.
const tensor::Ops& batch_invariant_ops();

}  // namespace plinth::engine
