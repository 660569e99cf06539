#include "server/reading_batch.h"

#include <utility>

#include "core/log.h"

namespace plinth::server {

void ReadingBatch::start(const Services& services, const Call& call,
                         std::vector<engine::ReadRequest> requests, Done done) {
  const std::shared_ptr<ReadingBatch> batch(
      new ReadingBatch(services, call, std::move(requests), std::move(done)));
  call.exchange->on_gone([batch] {
    batch->gone_ = true;
    for (const auto id : batch->ids_) batch->services_.engine.cancel(id);
  });
  batch->submit_more();
}

ReadingBatch::ReadingBatch(const Services& services, const Call& call,
                           std::vector<engine::ReadRequest> requests, Done done)
    : services_(services),
      call_(call),
      requests_(std::move(requests)),
      done_(std::move(done)),
      readings_(requests_.size()) {}

void ReadingBatch::submit_more() {
  while (!error_ && !gone_ && next_ < requests_.size() && next_ - finished_ < kAtOnce) {
    const size_t index = next_++;
    engine::ReadRequest& request = requests_[index];
    if (!request.pooled && request.tokens.size() < 2) {
      ++finished_;
      continue;
    }
    request.tenant = std::to_string(call_.key.tenant_id);
    const int64_t tokens = std::ssize(request.tokens);
    request.done = [self = shared_from_this(), index, tokens](Result<engine::Reading> reading) {
      self->call_.exchange->post([self, index, tokens, reading = std::move(reading)]() mutable {
        self->take(index, tokens, std::move(reading));
      });
    };
    const auto submitted = services_.engine.read(std::move(request));
    if (!submitted) {
      ++finished_;
      return fail(submitted.error());
    }
    ids_.push_back(*submitted);
  }
  if (gone_ && !error_) return fail(make_error(Code::kCancelled, "the client went away"));
  if (finished_ == next_ && done_) {
    const Done done = std::exchange(done_, nullptr);
    if (error_) return done(*error_, used_);
    done(std::move(readings_), used_);
  }
}

void ReadingBatch::take(size_t index, int64_t tokens, Result<engine::Reading> reading) {
  ++finished_;
  if (!reading) return fail(reading.error());
  used_.prompt_tokens += tokens;
  used_.core_s += reading->core_s;
  readings_[index] = *std::move(reading);
  submit_more();
}

void ReadingBatch::bill_failed(const Services& services, const Call& call, const std::string& model,
                               const std::string& digest, const engine::Usage& used) {
  if (used.prompt_tokens == 0) return;
  bill(services, call, {.model = model, .digest = digest, .usage = used, .outcome = "cancelled"},
       [](const Status& written) {
         if (!written) log_error("the usage ledger: {}", written.error().message);
       });
}

void ReadingBatch::fail(const Error& error) {
  if (!error_) {
    error_ = error;
    for (const auto id : ids_) services_.engine.cancel(id);
  }
  submit_more();
}

}  // namespace plinth::server
