#include "server/batch_runner.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "server/errors.h"

namespace plinth::server {
namespace {

constexpr size_t kAtOnce = 8;   // lines
constexpr int kIdleMs = 1000;   // between looks for batches that another process started
constexpr int kRetryMs = 1000;  // when a refusal does not say when to come again
constexpr int kRetryMsMax = 60'000;
constexpr int64_t kLinesMax = 50'000;  // OpenAI's limit

int64_t now_ms() {
  return system_clock().monotonic_ns() / 1'000'000;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) lines.push_back(line);
    at = end + 1;
  }
  return lines;
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

std::string custom_id_of(std::string_view line) {
  const auto json = parse_json(line, "line");
  return json && json->is_object() ? string_or(*json, "custom_id", "") : "";
}

// The request in a line.
Result<std::string> body_of(std::string_view line, const std::string& endpoint) {
  PLINTH_TRY(const Json json, parse_json(line, "line"));
  if (!json.is_object() || string_or(json, "custom_id", "").empty())
    return invalid("line: an object with a custom_id is needed");
  if (string_or(json, "method", "") != "POST") return invalid("line: method: POST is needed");
  if (string_or(json, "url", "") != endpoint)
    return invalid("line: url: the batch's endpoint, {}, is needed", endpoint);
  const auto body = json.find("body");
  if (body == json.end() || !body->is_object()) return invalid("line: body: an object is needed");
  if (body->contains("stream") && (*body)["stream"] != false)
    return invalid("line: stream: answers of batches are not streamed");
  return to_text(*body);
}

}  // namespace

// The batch that is being answered.
struct BatchRunner::Running {
  const store::Batch& batch;
  const std::vector<std::string_view>& lines;
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
    woken_ = false;
    if (stopping_) return false;
    tasks.swap(tasks_);
  }
  for (const auto& task : tasks) task();
  return true;
}

void BatchRunner::work() {
  do {
    const auto batches = store_->unfinished_batches();
    if (!batches) {
      log_error("batches: {}", batches.error().message);
      continue;
    }
    for (const store::Batch& batch : *batches) {
      const auto taken = leases_.take(batch.id);
      if (!taken) log_error("batch {}: {}", batch.id, taken.error().message);
      if (!taken || !*taken) continue;
      run(batch.id, batch.tenant_id);
      leases_.release(batch.id);
      const std::lock_guard lock(mutex_);
      if (stopping_) break;
    }
  } while (run_tasks(kIdleMs));
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

void BatchRunner::count_exchange(int by) {
  const std::lock_guard lock(mutex_);
  exchanges_ += by;
  changed_.notify_all();
}

// As it is now, with its lease: another server may have ended it since it was listed.
void BatchRunner::run(const std::string& id, int64_t tenant_id) {
  auto found = store_->batch(tenant_id, id);
  if (!found) return log_error("batch {}: {}", id, found.error().message);
  store::Batch batch = *std::move(found);
  if (batch.state != "in_progress" && batch.state != "cancelling") return;
  const auto fail = [&](const std::string& why) {
    batch.state = "failed";
    batch.error = why;
    batch.ended_ms = system_clock().unix_ms();
    if (const Status updated = update(batch); !updated)
      log_error("batch {}: {}", batch.id, updated.error().message);
  };
  const auto file = store_->file(batch.tenant_id, batch.input_file);
  if (!file && file.error().code == Code::kUnavailable)
    return log_warn("batch {} waits: {}", batch.id, file.error().message);
  if (!file) return fail(file.error().message);
  const auto text = store_->artifacts().read(file->digest);
  if (!text) return fail(fmt::format("file {} cannot be read", batch.input_file));
  const auto lines = lines_of(*text);
  if (lines.empty()) return fail(fmt::format("file {} has no lines", batch.input_file));
  if (std::ssize(lines) > kLinesMax)
    return fail(fmt::format("file {} has {} lines, the limit is {}", batch.input_file, lines.size(),
                            kLinesMax));
  batch.total = std::ssize(lines);
  Status status = batch.state == "cancelling" ? finish(batch, true) : update(batch);
  if (status && batch.state == "in_progress") status = run_lines(batch, lines);
  if (!status) log_error("batch {}: {}", batch.id, status.error().message);
}

Status BatchRunner::run_lines(store::Batch& batch, const std::vector<std::string_view>& lines) {
  PLINTH_TRY(const auto results, store_->batch_results(batch.id));
  std::vector<bool> done(lines.size());
  for (const store::BatchResult& result : results)
    if (result.line < batch.total) done[static_cast<size_t>(result.line)] = true;
  Running running{.batch = batch, .lines = lines};
  size_t next = 0;
  bool cancelled = false;
  bool stopped = false;
  while (running.status) {
    for (size_t i = 0; i < running.later.size();) {
      if (running.later[i].first > now_ms()) {
        ++i;
        continue;
      }
      const int64_t line = running.later[i].second;
      running.later.erase(running.later.begin() + static_cast<std::ptrdiff_t>(i));
      begin_line(running, line);
    }
    while (running.open.size() + running.later.size() < kAtOnce && next < lines.size())
      if (const size_t line = next++; !done[line]) begin_line(running, static_cast<int64_t>(line));
    if (running.open.empty() && running.later.empty() && next == lines.size()) break;
    const bool goes_on = run_tasks(running.open.empty() ? kRetryMs / 4 : kIdleMs);
    const auto now = store_->batch(batch.tenant_id, batch.id);
    cancelled = now && now->state == "cancelling";
    stopped = !goes_on || !leases_.held(batch.id);
    if (stopped || cancelled) break;
  }
  for (const auto& [line, exchange] : running.open) exchange->drop();
  PLINTH_TRY(std::move(running.status));
  if (stopped) return {};
  return finish(batch, cancelled);
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

Status BatchRunner::finish(store::Batch& batch, bool cancelled) {
  PLINTH_TRY(const auto results, store_->batch_results(batch.id));
  std::string output, errors;
  for (const store::BatchResult& result : results) {
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
  batch.state = cancelled ? "cancelled" : "completed";
  batch.ended_ms = system_clock().unix_ms();
  return store_->end_batch(batch, output, errors, leases_.server());
}

}  // namespace plinth::server
