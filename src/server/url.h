// The path and the query of a request target.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace plinth::server {

// Cuts off the query and turns %41 into A. A broken escape stays as it is: no route has such a
// path.
std::string decode_path(std::string_view target);

// What stands behind the ?; empty: nothing.
std::string query_of(std::string_view target);

// The decoded value of a name in a query ("a=1&b=x%20y"); empty when there is none.
std::string query_value(std::string_view query, std::string_view name);

// The names in a query, in its order.
std::vector<std::string> query_names(std::string_view query);

// The list's "limit" in a query. kInvalidArgument: it is no number in 1..kPageMax.
inline constexpr size_t kPageMax = 10'000;
Result<size_t> page_limit(std::string_view query);

// A page of a list, as OpenAI's clients turn them: the entries behind the one whose "id" is `after`
// in the query, `limit` of them at most (20 unless said, or said wrong). An `after` that there is
// not: nothing.
struct Page {
  size_t begin = 0;
  size_t end = 0;
};

Page page_of(std::string_view query, const std::vector<std::string>& ids);

}  // namespace plinth::server
