#include "cli/ids.h"

#include <charconv>

#include "core/json.h"

namespace plinth::cli {

Result<std::vector<int32_t>> parse_ids(std::string_view text, int32_t vocabulary) {
  std::vector<int32_t> ids;
  const auto first = text.find_first_not_of(" \t\r\n");
  Json json;
  if (first != std::string_view::npos && text[first] == '{') {
    PLINTH_TRY(json, parse_json(text, "ids"));
    if (!json.contains("ids") || !json["ids"].is_array()) return invalid("ids: no array 'ids'");
    for (const auto& id : json["ids"]) {
      if (!id.is_number_integer()) return invalid("ids: {} is not an integer", to_text(id));
      ids.push_back(id.get<int32_t>());
    }
  } else {
    const char* at = text.data();
    const char* end = text.data() + text.size();
    while (at != end) {
      if (*at == ',' || *at == ' ' || *at == '\n' || *at == '\r' || *at == '\t') {
        ++at;
        continue;
      }
      int32_t id = 0;
      const auto [next, error] = std::from_chars(at, end, id);
      if (error != std::errc())
        return invalid("ids: cannot read a number at byte {}", at - text.data());
      ids.push_back(id);
      at = next;
    }
  }
  for (const int32_t id : ids)
    if (id < 0 || id >= vocabulary) return invalid("id {} is outside 0..{}", id, vocabulary - 1);
  return ids;
}

}  // namespace plinth::cli
