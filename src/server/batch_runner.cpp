#include "server/batch_runner.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "server/batch_lines.h"
#include "server/errors.h"

namespace plinth::server {
namespace {

constexpr size_t kBatchesAtOnce = 16;
constexpr size_t kTextMax = size_t{128} << 20;  // bytes of their inputs; then no more are taken up
constexpr size_t kAtOnce = 8;                   // lines of each
constexpr int kIdleMs = 1000;   // between looks for batches that another process started
constexpr int kRetryMs = 1000;  // when a refusal does not say when to come again
constexpr int kRetryMsMax = 60'000;
constexpr int64_t kLinesMax = 50'000;  // OpenAI's limit

int64_t now_ms() {
  return system_clock().monotonic_ns() / 1'000'000;
}

int retry_ms(const HttpResponse& response) {
  for (const auto& [name, value] : response.headers) {
    int ms = 0;
    if (name == "retry-after-ms" &&
        std::from_chars(value.data(), value.data() + value.size(), ms).ec == std::errc())
      return std::clamp(ms, 1, kRetryMsMax);
  }
  return kRetryMs;
}

}  // namespace

// A batch that is being answered.
struct BatchRunner::Running {
  store::Batch batch = {};
  std::string text = {};                     // of its input
  std::vector<std::string_view> lines = {};  // of the text
  std::vector<bool> answered = {};           // by line, before it was taken up
  size_t next = 0;                           // line to begin
  std::map<int64_t, std::shared_ptr<LineExchange>> open = {};
  std::vector<std::pair<int64_t, int64_t>> later = {};  // when (ms), line
  Status status = {};
};

// A line's request and the way back. Work is posted to the runner's thread, which stands for a
// connection's strand.
class BatchRunner::LineExchange : public Exchange,
                                  public std::enable_shared_from_this<LineExchange> {
 public:
  using Reply = std::function<void(const HttpResponse&)>;

  LineExchange(BatchRunner& runner, HttpRequest request, Reply reply)
      : runner_(runner), request_(std::move(request)), reply_(std::move(reply)) {
    runner_.count_exchange(1);
  }

  ~LineExchange() override { runner_.count_exchange(-1); }

  LineExchange(const LineExchange&) = delete;
  LineExchange& operator=(const LineExchange&) = delete;

  const HttpRequest& request() const override { return request_; }

  void add_headers(Headers headers) override {
    headers_.insert(headers_.end(), headers.begin(), headers.end());
  }

  void reply(HttpResponse response) override {
    response.headers.insert(response.headers.end(), headers_.begin(), headers_.end());
    if (const Reply reply = std::exchange(reply_, nullptr)) reply(response);
  }

  // Lines that ask for a stream are refused before.
  void begin_stream(HttpResponse) override {}

  void write(std::string_view) override {}

  void end() override {}

  void on_gone(std::function<void()> gone) override { gone_ = std::move(gone); }

  // Lines that the server's end leaves no time are asked again after its next start.
  void on_cut(std::function<void()>) override {}

  void every(int, std::function<void()>) override {}

  void post(std::function<void()> work) override {
    runner_.post([self = shared_from_this(), work = std::move(work)] { work(); });
  }

  // Nobody waits for it any more.
  void drop() {
    reply_ = nullptr;
    if (const auto gone = std::exchange(gone_, nullptr)) gone();
  }

 private:
  BatchRunner& runner_;
  HttpRequest request_;
  Reply reply_;
  Headers headers_;
  std::function<void()> gone_;
};

Result<std::unique_ptr<BatchRunner>> BatchRunner::create(const Path& home, store::Leases& leases) {
  PLINTH_TRY(auto store, store::Store::open(home));
  return std::unique_ptr<BatchRunner>(new BatchRunner(std::move(store), leases));
}

BatchRunner::BatchRunner(std::unique_ptr<store::Store> store, store::Leases& leases)
    : store_(std::move(store)), leases_(leases) {}

BatchRunner::~BatchRunner() {
  stop();
}

void BatchRunner::start(Dispatch dispatch) {
  dispatch_ = std::move(dispatch);
  thread_ = std::thread([this] { work(); });
}

void BatchRunner::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void BatchRunner::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

void BatchRunner::post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  changed_.notify_all();
}

bool BatchRunner::run_tasks(int wait_ms) {
  std::deque<std::function<void()>> tasks;
  {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(wait_ms),
                      [this] { return stopping_ || woken_ || !tasks_.empty(); });
    if (stopping_) return false;
    tasks.swap(tasks_);
  }
  for (const auto& task : tasks) task();
  return true;
}

// Is it time to look what the database says of batches?
bool BatchRunner::look() {
  const std::lock_guard lock(mutex_);
  if (!std::exchange(woken_, false) && now_ms() < next_look_ms_) return false;
  next_look_ms_ = now_ms() + kIdleMs;
  return true;
}

void BatchRunner::work() {
  int wait_ms = 0;
  do {
    const bool looks = look();
    if (looks) take_up();
    wait_ms = kIdleMs;
    std::erase_if(running_, [&](const std::unique_ptr<Running>& running) {
      if (!advance(*running, looks)) {
        let_go(*running);
        if (running->status) wake();  // for the tenant's next one
        return true;
      }
      if (!running->later.empty()) wait_ms = kRetryMs / 4;
      return false;
    });
  } while (run_tasks(wait_ms));
  for (const auto& running : running_) let_go(*running);
  running_.clear();
  // Lines that were dropped still write what they used to the ledger.
  while (true) {
    std::deque<std::function<void()>> tasks;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return exchanges_ == 0 || !tasks_.empty(); });
      tasks.swap(tasks_);
    }
    if (tasks.empty()) return;
    for (const auto& task : tasks) task();
  }
}

// Who has none running begins with the oldest: a tenant whose quota is used up holds up nobody
// else.
void BatchRunner::take_up() {
  const auto batches = store_->unfinished_batches();
  if (!batches) return log_error("batches: {}", batches.error().message);
  size_t text_bytes = 0;
  for (const auto& running : running_) text_bytes += running->text.size();
  for (const store::Batch& batch : *batches) {
    if (running_.size() >= kBatchesAtOnce || text_bytes > kTextMax) return;
    if (std::ranges::any_of(running_, [&](const auto& running) {
          return running->batch.tenant_id == batch.tenant_id;
        }))
      continue;
    const auto taken = leases_.take(batch.id);
    if (!taken) log_error("batch {}: {}", batch.id, taken.error().message);
    if (!taken || !*taken) continue;
    auto running = open(batch.id, batch.tenant_id);
    if (running == nullptr) {
      leases_.release(batch.id);
      continue;
    }
    text_bytes += running->text.size();
    running_.push_back(std::move(running));
  }
}

void BatchRunner::let_go(Running& running) {
  for (const auto& [line, exchange] : running.open) exchange->drop();
  running.open.clear();
  leases_.release(running.batch.id);
}

void BatchRunner::count_exchange(int by) {
  const std::lock_guard lock(mutex_);
  exchanges_ += by;
  changed_.notify_all();
}

// As it is now, with its lease: another server may have ended it since it was listed. Null: there
// is nothing to answer.
std::unique_ptr<BatchRunner::Running> BatchRunner::open(const std::string& id, int64_t tenant_id) {
  auto found = store_->batch(tenant_id, id);
  if (!found) {
    log_error("batch {}: {}", id, found.error().message);
    return nullptr;
  }
  auto running = std::make_unique<Running>(Running{.batch = *std::move(found)});
  store::Batch& batch = running->batch;
  if (batch.state != "in_progress" && batch.state != "cancelling") return nullptr;
  const auto fail = [&](const std::string& why) {
    batch.state = "failed";
    batch.error = why;
    batch.ended_ms = system_clock().unix_ms();
    if (const Status updated = update(batch); !updated)
      log_error("batch {}: {}", batch.id, updated.error().message);
    return nullptr;
  };
  const auto file = store_->file(batch.tenant_id, batch.input_file);
  if (!file && file.error().code == Code::kUnavailable) {
    log_warn("batch {} waits: {}", batch.id, file.error().message);
    return nullptr;
  }
  if (!file) return fail(file.error().message);
  auto text = store_->artifacts().read(file->digest);
  if (!text) return fail(fmt::format("file {} cannot be read", batch.input_file));
  running->text = *std::move(text);
  running->lines = lines_of(running->text);
  const auto lines = std::ssize(running->lines);
  if (lines == 0) return fail(fmt::format("file {} has no lines", batch.input_file));
  if (lines > kLinesMax)
    return fail(
        fmt::format("file {} has {} lines, the limit is {}", batch.input_file, lines, kLinesMax));
  batch.total = lines;
  Status status = update(batch);
  const auto results = store_->batch_results(batch.id);
  if (status && !results) status = results.error();
  if (!status) {
    log_error("batch {}: {}", batch.id, status.error().message);
    return nullptr;
  }
  running->answered.resize(running->lines.size());
  for (const store::BatchResult& result : *results)
    if (result.line < batch.total) running->answered[static_cast<size_t>(result.line)] = true;
  return running;
}

// Begins lines as far as there are places. False: it has ended, or is another server's.
bool BatchRunner::advance(Running& running, bool looks) {
  store::Batch& batch = running.batch;
  const auto ends = [&](std::string_view state) {
    for (const auto& [line, exchange] : running.open) exchange->drop();
    running.open.clear();
    if (running.status) running.status = finish(running, state);
    if (!running.status) log_error("batch {}: {}", batch.id, running.status.error().message);
    return false;
  };
  if (!leases_.held(batch.id)) return false;
  if (!running.status) return ends("");
  if (looks) {
    const auto now = store_->batch(batch.tenant_id, batch.id);
    if (now && now->state == "cancelling") return ends("cancelled");
  }
  if (system_clock().unix_ms() >= batch.created_ms + kBatchWindowMs) return ends("expired");
  for (size_t i = 0; i < running.later.size();) {
    if (running.later[i].first > now_ms()) {
      ++i;
      continue;
    }
    const int64_t line = running.later[i].second;
    running.later.erase(running.later.begin() + static_cast<std::ptrdiff_t>(i));
    begin_line(running, line);
  }
  while (running.open.size() + running.later.size() < kAtOnce &&
         running.next < running.lines.size())
    if (const size_t line = running.next++; !running.answered[line])
      begin_line(running, static_cast<int64_t>(line));
  const bool rests = running.open.empty() && running.later.empty();
  if (rests && running.next == running.lines.size()) return ends("completed");
  return true;
}

void BatchRunner::begin_line(Running& running, int64_t line) {
  const store::Batch& batch = running.batch;
  const auto take = [this, &running, line](const HttpResponse& response) {
    take_reply(running, line, response);
  };
  // One id for all attempts: the ledger takes it once.
  const std::string id = fmt::format("{}-{}", batch.id, line);
  const auto key = store_->valid_key(batch.key_id);
  if (!key) return take(error_response({.error = key.error(), .code = "invalid_api_key"}, id));
  auto body = body_of(running.lines[static_cast<size_t>(line)], batch.endpoint);
  if (!body) return take(error_response({.error = body.error()}, id));
  HttpRequest request{.id = id, .method = "POST", .path = batch.endpoint, .body = *std::move(body)};
  auto exchange = std::make_shared<LineExchange>(*this, std::move(request), take);
  running.open[line] = exchange;
  dispatch_(exchange, *key);
}

void BatchRunner::take_reply(Running& running, int64_t line, const HttpResponse& response) {
  constexpr int kTooMany = 429, kAway = 503;
  running.open.erase(line);
  if (response.status == kTooMany || response.status == kAway) {
    running.later.emplace_back(now_ms() + retry_ms(response), line);
    return;
  }
  const Status added = store_->add_batch_result(
      running.batch.id, {.line = line,
                         .custom_id = custom_id_of(running.lines[static_cast<size_t>(line)]),
                         .status = response.status,
                         .body = response.body});
  if (!added) running.status = added;
}

Status BatchRunner::finish(Running& running, std::string_view state) {
  store::Batch& batch = running.batch;
  PLINTH_TRY(const auto results, store_->batch_results(batch.id));
  std::string output, errors;
  std::vector<bool> answered(running.lines.size());
  for (const store::BatchResult& result : results) {
    if (result.line < batch.total) answered[static_cast<size_t>(result.line)] = true;
    const std::string id = fmt::format("{}-{}", batch.id, result.line);
    const auto body = parse_json(result.body, "result");
    const bool fine = result.status == 200;
    (fine ? output : errors) += to_text({{"id", id},
                                         {"custom_id", result.custom_id},
                                         {"response",
                                          {{"status_code", result.status},
                                           {"request_id", id},
                                           {"body", body ? *body : Json(result.body)}}},
                                         {"error", nullptr}}) +
                                "\n";
  }
  for (size_t line = 0; state == "expired" && line < answered.size(); ++line)
    if (!answered[line])
      errors +=
          to_text({{"id", fmt::format("{}-{}", batch.id, line)},
                   {"custom_id", custom_id_of(running.lines[line])},
                   {"response", nullptr},
                   {"error",
                    {{"code", "batch_expired"},
                     {"message", "the batch's 24 hours were over before this line's turn"}}}}) +
          "\n";
  batch.state = state;
  batch.ended_ms = system_clock().unix_ms();
  return store_->end_batch(batch, output, errors, leases_.server());
}

}  // namespace plinth::server
