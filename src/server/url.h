// The path and the query of a request target.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace plinth::server {

// Cuts off the query and turns %41 into A. A broken escape stays as it is: no route has such a
// path.
std::string decode_path(std::string_view target);

// What stands behind the ?; empty: nothing.
std::string query_of(std::string_view target);

// The decoded value of a name in a query ("a=1&b=x%20y"); empty when there is none.
std::string query_value(std::string_view query, std::string_view name);

// A page of a list, as OpenAI's clients turn them: the entries behind the one whose "id" is `after`
// in the query, `limit` of them at most (20 unless said). An `after` that there is not: nothing.
struct Page {
  size_t begin = 0;
  size_t end = 0;
};

Page page_of(std::string_view query, const std::vector<std::string>& ids);

}  // namespace plinth::server
