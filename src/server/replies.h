// Answers of the plain JSON routes.
#pragma once

#include <string>
#include <utility>

#include "core/json.h"
#include "server/services.h"

namespace plinth::server {

inline void reply(const Call& call, const Json& json) {
  call.exchange->reply({.body = to_text(json)});
}

inline Json list_json(Json data) {
  return {{"object", "list"}, {"data", std::move(data)}};
}

inline Json text_or_null(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

// Seconds since 1970; null for 0, which is never.
inline Json time_or_null(int64_t ms) {
  return ms == 0 ? Json() : Json(ms / 1000);
}

// Replies what `make(param)` makes, or its error; `param` is the field at fault.
template <typename Make>
void answer(const Call& call, Make make) {
  std::string param;
  const Result<Json> json = make(param);
  if (!json) return refuse(call, {.error = json.error(), .param = param});
  reply(call, *json);
}

// Replies with a list of what `make(row)` makes, or the error that came instead of the rows.
template <typename Rows, typename Make>
void reply_list(const Call& call, const Result<Rows>& rows, Make make) {
  if (!rows) return refuse(call, {.error = rows.error()});
  Json data = Json::array();
  for (const auto& row : *rows) data.push_back(make(row));
  reply(call, list_json(std::move(data)));
}

}  // namespace plinth::server
