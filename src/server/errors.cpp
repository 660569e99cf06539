#include "server/errors.h"

#include "core/json.h"
#include "core/log.h"

namespace plinth::server {
namespace {

std::string_view error_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    default:
      return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

Json text_or_null(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

}  // namespace

int http_status(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return 400;
    case Code::kUnauthenticated:
      return 401;
    case Code::kPermissionDenied:
      return 403;
    case Code::kNotFound:
      return 404;
    case Code::kAlreadyExists:
      return 409;
    case Code::kFailedPrecondition:
      return 412;
    case Code::kResourceExhausted:
      return 429;
    case Code::kCancelled:
      return 499;
    case Code::kUnimplemented:
      return 501;
    case Code::kUnavailable:
      return 503;
    case Code::kDeadlineExceeded:
      return 504;
    case Code::kDataLoss:
    case Code::kInternal:
      return 500;
  }
  return 500;
}

Error not_written(std::string_view what, const Error& error) {
  if (error.code == Code::kResourceExhausted)
    return {Code::kUnavailable, fmt::format("{}: the disk is full", what)};
  if (error.code == Code::kUnavailable)
    return {Code::kUnavailable, fmt::format("{}: the database does not answer", what)};
  return {error.code, fmt::format("{}: {}", what, error.message)};
}

std::string_view status_text(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return status >= 500 ? "Internal Server Error" : "Error";
  }
}

std::string error_body(const ApiError& error, std::string_view request_id) {
  const int status = http_status(error.error.code);
  std::string message = error.error.message;
  if (status == 500) {
    log_error("request {}: {}", request_id, message);
    message = fmt::format("internal error; request {}", request_id);
  }
  return to_text({{"error",
                   {{"message", message},
                    {"type", error_type(status)},
                    {"param", text_or_null(error.param)},
                    {"code", text_or_null(error.code)}}}});
}

HttpResponse error_response(const ApiError& error, std::string_view request_id) {
  HttpResponse response{.status = http_status(error.error.code),
                        .body = error_body(error, request_id)};
  if (response.status == 401)
    response.headers.emplace_back("www-authenticate", "Bearer realm=\"plinth\"");
  if (response.status == 429 || response.status == 503)
    response.headers.emplace_back("retry-after", "1");
  return response;
}

}  // namespace plinth::server
