// GET over libcurl, the only file that includes it beside url.cpp. One connection, reused from
// request to request. Redirects are followed here, hop by hop, because the token must not go with
// them to another server.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"
#include "hub/hub.h"

namespace plinth::hub {

// The head of the last answer, after redirects.
struct Answer {
  int status = 0;
  std::string link;          // the header Link
  double retry_after = -1;   // seconds; -1: not said (a date is not read)
  int64_t range_begin = -1;  // of Content-Range; -1: no such header
  int64_t range_total = -1;  // "*" or no such header: -1
};

class Http {
 public:
  // `access` outlives this.
  explicit Http(const Access& access);
  ~Http();
  Http(const Http&) = delete;
  Http& operator=(const Http&) = delete;

  struct Sink {
    // Called once before the body of an answer 2xx; an error ends the transfer and is returned.
    std::function<Status(const Answer&)> head;
    std::function<Status(std::string_view)> body;
  };

  // From byte `offset` on (0: without a Range header). An answer of any status is a value; errors
  // are kUnavailable when the connection failed or stalled, kCancelled when interrupted, what the
  // sink said, or a reason that will not pass (certificate, address).
  Result<Answer> get(const std::string& url, int64_t offset, const Sink& sink);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Parts of a header's value; split out for tests and fuzzing.

// "bytes 100-199/1000" into the two fields of `answer`; anything else leaves them alone.
void read_content_range(std::string_view value, Answer& answer);

// The query of the address that a Link header calls rel="next"; empty: there is none.
std::string next_query(std::string_view link);

}  // namespace plinth::hub
