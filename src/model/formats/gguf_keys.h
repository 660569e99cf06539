// GGUF metadata keys that depend on the config; each follows "A.", A being general.architecture.
#pragma once

#include <string_view>

#include "model/model.h"

namespace plinth::model {

inline std::string_view norm_eps_key(NormKind norm) {
  return norm == NormKind::kLayer ? "attention.layer_norm_epsilon"
                                  : "attention.layer_norm_rms_epsilon";
}

}  // namespace plinth::model
