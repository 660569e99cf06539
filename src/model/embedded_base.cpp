#include <cstddef>
#include <span>

#include "model/loader.h"

// From embedded_base.S.
extern "C" const std::byte plinth_embedded_base[];
extern "C" const std::byte plinth_embedded_base_end[];

namespace plinth::model {

Result<std::shared_ptr<const Model>> Model::open_embedded() {
  const std::span bytes(plinth_embedded_base, plinth_embedded_base_end);
  if (bytes.empty())
    return not_found(
        "this binary was built without a base: models/plinth-zh-base.gguf was missing");
  return load_gguf(bytes, "embedded base", std::make_shared<WeightStorage>());
}

}  // namespace plinth::model
