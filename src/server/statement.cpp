#include "server/statement.h"

#include <fmt/format.h>

namespace plinth::server {
namespace {

std::string units(int64_t millionths) {
  return fmt::format("{}.{:06}", millionths / 1'000'000, millionths % 1'000'000);
}

// Quoted where it must be. A first character that spreadsheets read as a formula gets a quote.
std::string field(std::string_view text) {
  std::string quoted = text.find_first_of("=+-@") == 0 ? "'" : "";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  if (quoted.find_first_of(",\"\r\n") == std::string::npos) return quoted;
  return "\"" + quoted + "\"";
}

}  // namespace

std::string statement_csv(std::string_view month, const std::vector<store::StatementRow>& rows) {
  std::string csv =
      "month,tenant,model,requests,prompt_tokens,cached_tokens,completion_tokens,trained_tokens,"
      "core_seconds,"
      "prompt_price,cached_price,completion_price,trained_price,cost\n";
  for (const store::StatementRow& row : rows)
    csv +=
        fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", month, field(row.total.tenant),
                    field(row.total.model), row.total.requests, row.total.prompt_tokens,
                    row.total.cached_tokens, row.total.completion_tokens, row.total.trained_tokens,
                    units(row.total.core_us), units(row.price.prompt), units(row.price.cached),
                    units(row.price.completion), units(row.price.trained), units(row.cost));
  return csv;
}

}  // namespace plinth::server
