// Requests to one hub, with patience: what may pass is tried again, what will not is said in a
// sentence that tells what to do.
#pragma once

#include <functional>
#include <string>

#include "core/result.h"
#include "hub/http.h"
#include "hub/hub.h"
#include "hub/part_file.h"

namespace plinth::hub {

class Client {
 public:
  // Both outlive this.
  Client(const Access& access, const Reference& reference);

  struct Page {
    std::string text;
    std::string next;  // the query of the next page; empty: this is the last
  };

  // A document of at most 16 MiB.
  Result<Page> page(const std::string& url);

  // The rest of a file. `moved` is told the size after each piece.
  Status file(const std::string& url, PartFile& part, int64_t size,
              const std::function<void(int64_t)>& moved);

 private:
  // What one request came to.
  struct Attempt {
    Status status;
    bool may_pass = false;     // worth repeating
    double wait_seconds = -1;  // as the hub asked; -1: it did not
  };

  // Repeats `attempt` as Access says; `progress` is a number that grows when something arrived.
  Status persist(const std::function<Attempt()>& attempt,
                 const std::function<int64_t()>& progress) const;
  Attempt attempt_file(const std::string& url, PartFile& part, int64_t size,
                       const std::function<void(int64_t)>& moved);
  Attempt judge(const Answer& answer, const std::string& url) const;

  const Access* access_;
  const Reference* reference_;
  Http http_;
};

}  // namespace plinth::hub
