#include "server/openapi.h"

#include <set>
#include <string_view>

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

Json parameter(const std::string& name, const char* place) {
  return {{"name", name},
          {"in", place},
          {"required", place == std::string_view("path")},
          {"schema", {{"type", "string"}}}};
}

const char* description(int status) {
  switch (status) {
    case 400:
      return "the request is wrong; param names the field";
    case 401:
      return "no valid key";
    case 403:
      return "the key may not do this";
    case 404:
      return "what is named is not there, or another tenant's";
    case 409:
      return "there is one of that name";
    case 412:
      return "not in the state that things are in";
    case 413:
      return "the body is larger than the limit";
    case 429:
      return "the quota is used up, or the queue full";
    case 503:
      return "draining, or the database is away";
    case 504:
      return "not complete at its deadline";
    default:
      return "an internal error";
  }
}

// What a route may refuse with follows from what it takes.
std::set<int> refusals(const Route& route) {
  std::set<int> all(route.refusals.begin(), route.refusals.end());
  if (route.access == Access::kOpen) return all;
  all.insert({401, 403, 500, 503});
  const bool takes_body = !route.request.empty();
  if (takes_body || !route.query.empty() || route.path.find('*') != std::string::npos)
    all.insert({400, 404});
  if (takes_body) all.insert(413);
  if (route.metered) all.insert({429, 504});
  return all;
}

Json operation(const Route& route) {
  Json json = {{"summary", route.summary}, {"responses", {{"200", {{"description", "fine"}}}}}};
  Json& fine = json["responses"]["200"]["content"];
  if (!route.response.empty()) fine = content("application/json", route.response);
  if (!route.events.empty()) fine.update(content("text/event-stream", route.events));
  if (!route.content_type.empty()) fine[route.content_type] = {{"schema", {{"type", "string"}}}};
  if (!route.request.empty())
    json["requestBody"] = {{"required", true},
                           {"content", content(route.request == "FileUpload" ? "multipart/form-data"
                                                                             : "application/json",
                                               route.request)}};
  Json parameters = Json::array();
  if (route.path.find('*') != std::string::npos) parameters.push_back(parameter("id", "path"));
  for (const std::string& name : route.query) parameters.push_back(parameter(name, "query"));
  if (!parameters.empty()) json["parameters"] = std::move(parameters);
  if (route.access == Access::kOpen) {
    json["security"] = Json::array();
    json["responses"]["503"] = {{"description", "not now"}, {"content", fine}};
  } else {
    json["x-plinth-action"] = action_name(route.action);
  }
  for (const int status : refusals(route))
    json["responses"][std::to_string(status)] = error(description(status));
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
