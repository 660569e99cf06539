// Questions as serving would put them, for training and proving: one template, one rendering.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/json.h"
#include "core/result.h"
#include "model/model.h"

namespace plinth::cli {

using ChatRenderer = std::function<Result<std::string>(const Json& messages, bool add_generation_prompt)>;

// The base's own chat template. kFailedPrecondition when it has none.
Result<ChatRenderer> chat_renderer(const std::shared_ptr<const model::Model>& base);

}  // namespace plinth::cli
