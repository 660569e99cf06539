// The OpenAPI 3.1 document, made from the table that routes: what is not in the one is not in the
// other. The schemas that routes name stand in openapi_schemas.cpp; tests hold answers to them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/router.h"

namespace plinth::server {

// The document itself is added to it as well.
std::string openapi_document(const std::vector<Route>& routes);

// JSON: name -> JSON Schema.
std::string_view openapi_schemas();

}  // namespace plinth::server
