#include "server/openapi.h"

#include "core/check.h"
#include "core/json.h"

namespace plinth::server {
namespace {

Json reference(const std::string& schema) {
  return {{"$ref", "#/components/schemas/" + schema}};
}

Json content(const std::string& type, const std::string& schema) {
  return {{type, {{"schema", reference(schema)}}}};
}

Json error(const char* what) {
  return {{"description", what}, {"content", content("application/json", "Error")}};
}

Json operation(const Route& route) {
  Json json = {{"summary", route.summary}, {"responses", {{"200", {{"description", "fine"}}}}}};
  if (!route.response.empty())
    json["responses"]["200"]["content"] = content("application/json", route.response);
  if (!route.request.empty())
    json["requestBody"] = {{"required", true},
                           {"content", content(route.request == "FileUpload" ? "multipart/form-data"
                                                                             : "application/json",
                                               route.request)}};
  if (route.path.find('*') != std::string::npos)
    json["parameters"] = Json::array(
        {{{"name", "id"}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}}});
  if (route.access == Access::kOpen) {
    json["security"] = Json::array();
  } else {
    json["responses"]["401"] = error("no valid key");
    json["responses"]["403"] = error("the key may not do this");
    json["x-plinth-action"] = action_name(route.action);
  }
  if (!route.request.empty()) json["responses"]["400"] = error("the request is wrong");
  if (route.metered) json["responses"]["429"] = error("the quota is used up, or the queue full");
  return json;
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

}  // namespace

std::string openapi_document(const std::vector<Route>& routes) {
  auto schemas = parse_json(openapi_schemas(), "schemas");
  PLINTH_CHECK(schemas.has_value(), "{}", schemas.error().message);
  Json document = {{"openapi", "3.1.0"},
                   {"info",
                    {{"title", "Plinth"},
                     {"version", "0.1.0"},
                     {"description", "One base, many domain models, over the OpenAI API."}}},
                   {"security", Json::array({{{"key", Json::array()}}})},
                   {"components",
                    {{"securitySchemes", {{"key", {{"type", "http"}, {"scheme", "bearer"}}}}},
                     {"schemas", *std::move(schemas)}}}};
  for (const Route& route : routes) {
    std::string path = route.path;
    if (const size_t star = path.find('*'); star != std::string::npos)
      path.replace(star, 1, "{id}");
    document["paths"][path][lower(route.method)] = operation(route);
  }
  return to_text(document);
}

}  // namespace plinth::server
