#include "server/access.h"

#include <algorithm>
#include <array>

namespace plinth::server {
namespace {

constexpr std::array<std::string_view, 7> kActions = {"infer", "models", "files", "tune",
                                                      "usage", "keys",   "admin"};

struct Role {
  std::string_view name;
  std::array<bool, 7> may;  // in the order of Action
};

constexpr std::array<Role, 5> kRoles = {
    {{"operator", {true, true, true, true, true, true, true}},
     {"owner", {true, true, true, true, true, true, false}},
     {"developer", {true, true, true, true, false, false, false}},
     {"viewer", {false, true, false, false, true, false, false}},
     {"billing", {false, false, false, false, true, false, false}}}};

bool has(const std::vector<std::string>& list, std::string_view text) {
  return std::ranges::find(list, text) != list.end();
}

}  // namespace

std::string_view action_name(Action action) {
  return kActions[static_cast<size_t>(action)];
}

bool may(const store::KeyInfo& key, Action action) {
  const auto role = std::ranges::find(kRoles, key.scope.role, &Role::name);
  if (role == kRoles.end() || !role->may[static_cast<size_t>(action)]) return false;
  return key.scope.actions.empty() || has(key.scope.actions, action_name(action));
}

bool may_use_model(const store::KeyInfo& key, std::string_view model) {
  return key.scope.models.empty() || has(key.scope.models, model);
}

bool is_operator(const store::KeyInfo& key) {
  return key.scope.role == kRoles[0].name;
}

Status check_scope(const store::KeyScope& scope) {
  if (std::ranges::find(kRoles, scope.role, &Role::name) == kRoles.end())
    return invalid("role {}: is not operator, owner, developer, viewer or billing", scope.role);
  for (const std::string& action : scope.actions)
    if (std::ranges::find(kActions, action) == kActions.end())
      return invalid("action {}: is not infer, models, files, tune, usage, keys or admin", action);
  return {};
}

}  // namespace plinth::server
