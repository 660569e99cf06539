// What the OpenAPI document promises, held against every answer that a test gets: its status, its
// content type and each of its fields must stand in the document.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json.h"
#include "grammar/test_schema.h"
#include "server/openapi.h"
#include "server/test_client.h"

namespace plinth::server {

class Contract {
 public:
  explicit Contract(std::vector<Route> routes)
      : routes_(std::move(routes)), document_(*parse_json(openapi_document(routes_), "document")) {}

  const Json& document() const { return document_; }

  // "GET /v1/models 200" of every answer that was checked.
  const std::set<std::string>& seen() const { return seen_; }

  // Empty: the answer is as documented; else what is not.
  std::string check(std::string_view method, std::string_view target, const Reply& reply) {
    if (reply.status == 0 || method == "HEAD") return "";
    const std::string path(target.substr(0, target.find('?')));
    const std::string status = std::to_string(reply.status);
    const Route* route = find(method, path);
    if (route == nullptr) {
      const bool known = status == "401" || status == "404" || status == "405" || status == "413";
      return known ? fits({{"$ref", "#/components/schemas/Error"}}, reply.body)
                   : status + " where there is no route";
    }
    std::string name = route->path;
    if (const size_t star = name.find('*'); star != std::string::npos)
      name.replace(star, 1, "{id}");
    std::string verb(method);
    for (char& c : verb) c = static_cast<char>(std::tolower(c));
    seen_.insert(std::string(method) + " " + route->path + " " + status);
    const Json& responses = document_["paths"][name][verb]["responses"];
    if (!responses.contains(status)) return status + " is not documented";
    const auto header = reply.headers.find("content-type");
    const std::string type =
        header == reply.headers.end() ? "" : header->second.substr(0, header->second.find(';'));
    const Json& content = responses[status]["content"];
    if (!content.contains(type)) return "content type '" + type + "' is not documented";
    const Json& schema = content[type]["schema"];
    if (type == "application/json") return fits(schema, reply.body);
    if (type == "text/event-stream") return events_fit(schema, reply.body);
    return "";
  }

  // The schema with its references written out.
  Json resolved(const Json& schema) const {
    if (schema.is_object() && schema.contains("$ref")) {
      const std::string name = schema["$ref"];
      return resolved(document_["components"]["schemas"].at(name.substr(name.rfind('/') + 1)));
    }
    Json out = schema;
    if (out.is_structured())
      for (Json& item : out) item = resolved(item);
    return out;
  }

 private:
  // As the router finds it.
  const Route* find(std::string_view method, const std::string& path) const {
    for (const Route& route : routes_) {
      const size_t star = route.path.find('*');
      bool fine = route.path == path;
      if (star != std::string::npos) {
        const std::string tail = route.path.substr(star + 1);
        fine = path.size() > star + tail.size() && path.starts_with(route.path.substr(0, star)) &&
               path.ends_with(tail) &&
               (tail.empty() ||
                path.substr(star, path.size() - star - tail.size()).find('/') == std::string::npos);
      }
      if (fine && route.method == method) return &route;
    }
    return nullptr;
  }

  std::string fits(const Json& schema, const std::string& body) const {
    const auto json = parse_json(body, "answer");
    return json ? grammar::violation(resolved(schema), *json) : json.error().message;
  }

  // An event is what the route streams, or an error that ends the stream.
  std::string events_fit(const Json& schema, const std::string& body) const {
    for (size_t at = 0, end = 0; (end = body.find('\n', at)) != std::string::npos; at = end + 1) {
      const std::string line = body.substr(at, end - at);
      if (!line.starts_with("data: {")) continue;
      const bool error = line.starts_with(R"(data: {"error":{)");
      const std::string wrong =
          fits(error ? Json{{"$ref", "#/components/schemas/Error"}} : schema, line.substr(6));
      if (!wrong.empty()) return wrong + " in " + line;
    }
    return "";
  }

  const std::vector<Route> routes_;
  const Json document_;
  std::set<std::string> seen_;
};

}  // namespace plinth::server
