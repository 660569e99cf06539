// Many texts read by the engine for one call, a few at a time, so that a long list of them does not
// fill the engine's queue.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/services.h"

namespace plinth::server {

class ReadingBatch : public std::enable_shared_from_this<ReadingBatch> {
 public:
  // `used`: of the texts that were read, all or not.
  using Done =
      std::function<void(Result<std::vector<engine::Reading>> readings, const engine::Usage& used)>;

  // Requests come without `done`; one that has nothing to give (log-probabilities of a single
  // token) gets an empty reading. `done` runs on the call's strand, once, with the readings in the
  // order of the requests or the first error. A client that goes away cancels what is left.
  static void start(const Services& services, const Call& call,
                    std::vector<engine::ReadRequest> requests, Done done);

  // For what was read before the call failed; a call that read nothing has no row.
  static void bill_failed(const Services& services, const Call& call, const std::string& model,
                          const std::string& digest, const engine::Usage& used);

 private:
  static constexpr size_t kAtOnce = 16;

  ReadingBatch(const Services& services, const Call& call,
               std::vector<engine::ReadRequest> requests, Done done);

  void submit_more();
  void take(size_t index, int64_t tokens, Result<engine::Reading> reading);
  void fail(const Error& error);

  const Services services_;
  const Call call_;
  std::vector<engine::ReadRequest> requests_;
  Done done_;
  std::vector<engine::Reading> readings_;
  engine::Usage used_;
  std::vector<engine::RequestId> ids_;
  size_t next_ = 0;      // to be submitted
  size_t finished_ = 0;  // of those before next_
  bool gone_ = false;
  std::optional<Error> error_;
};

}  // namespace plinth::server
