// Questions as serving would put them, for training and proving: one template, one rendering.
#pragma once

#include <memory>

#include "core/result.h"
#include "model/model.h"
#include "train/train.h"

namespace plinth::server {

// The base's own chat template. kFailedPrecondition when it has none.
Result<train::ChatRenderer> chat_renderer(const std::shared_ptr<const model::Model>& base);

}  // namespace plinth::server
