// Who may do what: roles, and what a key narrows them to.
//
//   operator   everything, for all tenants; made on the command line only
//   owner      its own tenant: answers, files, tuning, keys, usage
//   developer  answers, files and batches, tuning
//   viewer     the list of models, usage
//   billing    usage and statements
#pragma once

#include <string_view>

#include "core/result.h"
#include "store/store.h"

namespace plinth::server {

enum class Action { kInfer, kModels, kFiles, kTune, kUsage, kKeys, kAdmin };

// "infer", "models", ...
std::string_view action_name(Action action);

// By role and by the key's own list of actions.
bool may(const store::KeyInfo& key, Action action);

// The key's list of models has the name, or is empty.
bool may_use_model(const store::KeyInfo& key, std::string_view model);

bool is_operator(const store::KeyInfo& key);

// kInvalidArgument for a role or an action that there is not.
Status check_scope(const store::KeyScope& scope);

}  // namespace plinth::server
