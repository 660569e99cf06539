#include "server/openai_models.h"

#include <algorithm>

#include "core/json.h"
#include "server/access.h"
#include "server/errors.h"

namespace plinth::server {
namespace {

Json model_json(const ModelEntry& entry) {
  return {{"id", entry.name},
          {"object", "model"},
          {"created", entry.created_ms / 1000},
          {"owned_by", "plinth"},
          {"digest", entry.digest}};
}

}  // namespace

void handle_models(const Services& services, const Call& call) {
  const auto entries = services.models.list();
  if (!entries)
    return call.exchange->reply(
        error_response({.error = entries.error()}, call.exchange->request().id));
  Json data = Json::array();
  for (const ModelEntry& entry : *entries)
    if (may_see_model(services, call.key, entry.name)) data.push_back(model_json(entry));
  call.exchange->reply({.body = to_text({{"object", "list"}, {"data", std::move(data)}})});
}

void handle_model(const Services& services, const Call& call) {
  const auto entries = services.models.list();
  const std::string& id = call.exchange->request().id;
  if (!entries) return call.exchange->reply(error_response({.error = entries.error()}, id));
  const auto found = std::find_if(entries->begin(), entries->end(), [&](const ModelEntry& entry) {
    return entry.name == call.argument && may_see_model(services, call.key, entry.name);
  });
  if (found == entries->end())
    return call.exchange->reply(
        error_response({.error = not_found("model {} is not known", call.argument),
                        .param = "model",
                        .code = "model_not_found"},
                       id));
  call.exchange->reply({.body = to_text(model_json(*found))});
}

}  // namespace plinth::server
