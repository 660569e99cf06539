// The one place that knows how an Error looks over HTTP: status, and OpenAI's error body.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "server/http.h"

namespace plinth::server {

// An error that may name the request's field at fault and a code that clients compare with.
struct ApiError {
  Error error;
  std::string param = {};  // empty: null
  std::string code = {};   // empty: null
};

int http_status(Code code);

// What a client learns when the server could not write: not where its files lie (log that), and a
// full disk is nothing that it did too often.
Error not_written(std::string_view what, const Error& error);

// {"error": {"message", "type", "param", "code"}}, all four keys. What an internal error says stays
// in the log; the client gets the request id to ask with.
std::string error_body(const ApiError& error, std::string_view request_id);

HttpResponse error_response(const ApiError& error, std::string_view request_id);

// Reason phrase: "Not Found".
std::string_view status_text(int status);

}  // namespace plinth::server
