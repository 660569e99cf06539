#include "hub/client.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "core/clock.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "hub/names.h"
#include "hub/url.h"

namespace plinth::hub {
namespace {

constexpr size_t kPageBytesMax = 16 << 20;

// Ctrl-C ends a pause, too.
Status pause(double seconds) {
  const Stopwatch watch;
  while (watch.seconds() < seconds) {
    PLINTH_TRY(check_interrupted());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return check_interrupted();
}

}  // namespace

Client::Client(const Access& access, const Reference& reference)
    : access_(&access), reference_(&reference), http_(access) {}

Status Client::persist(const std::function<Attempt()>& attempt,
                       const std::function<int64_t()>& progress) const {
  int failures = 0;
  double wait = access_->first_wait_seconds;
  for (int64_t before = progress();; before = progress()) {
    PLINTH_TRY(check_interrupted());
    Attempt outcome = attempt();
    if (outcome.status || !outcome.may_pass) return std::move(outcome.status);
    if (progress() > before) {
      failures = 0;
      wait = access_->first_wait_seconds;
    }
    if (++failures >= access_->attempts_max) {
      Error error = std::move(outcome.status).error();
      error.message += fmt::format(
          " (given up after {} attempts; the same command goes on where "
          "this one ended)",
          failures);
      return error;
    }
    const double seconds = std::min(outcome.wait_seconds >= 0 ? outcome.wait_seconds : wait,
                                    access_->wait_seconds_max);
    log_warn("{}: again in {:.0f} s", outcome.status.error().message, seconds);
    PLINTH_TRY(pause(seconds));
    wait = std::min(2 * wait, access_->wait_seconds_max);
  }
}

// The only place that knows what a hub's HTTP status means.
Client::Attempt Client::judge(const Answer& answer, const std::string& url) const {
  const std::string name = name_of(*reference_);
  const std::string& variable = access_->token_variable;
  const bool has_token = !access_->token.empty();
  switch (answer.status) {
    case 401:
      if (has_token)
        return {make_error(Code::kUnauthenticated,
                           "{}: the hub does not accept the token in {} (401), or there is no such "
                           "repository: check both",
                           name, variable)};
      return {make_error(Code::kUnauthenticated,
                         "{}: the hub wants to know who asks (401): check the name; for a private "
                         "or gated repository set {} to a token that may read it",
                         name, variable)};
    case 403:
      return {
          make_error(Code::kPermissionDenied,
                     "{}: the hub refuses access (403): accept the repository's terms on {}/{} {}",
                     name, access_->address, reference_->repository,
                     has_token ? fmt::format("with the account of the token in {}", variable)
                               : fmt::format("and set {} to a token of that account", variable))};
    case 404:
      return {not_found("{}: the hub has no {} (404): check the repository's name and revision",
                        name, printable(without_query(url)))};
    case 429: {
      const double wait = answer.retry_after;
      if (wait > access_->wait_seconds_max)
        return {exhausted(
            "{}: too many requests (429); the hub asks for {:.0f} s of pause: run the "
            "same command then, what has arrived stays{}",
            name, wait,
            has_token ? std::string() : fmt::format("; a token in {} allows more", variable))};
      return {exhausted("{}: too many requests (429)", name), true, wait};
    }
    default:
      return {make_error(Code::kUnavailable, "{}: status {} from {}", name, answer.status,
                         printable(without_query(url))),
              answer.status >= 500 || answer.status == 408, answer.retry_after};
  }
}

Result<Client::Page> Client::page(const std::string& url) {
  Page page;
  const auto attempt = [&]() -> Attempt {
    page = {};
    const Http::Sink sink{.head = [](const Answer&) -> Status { return {}; },
                          .body = [&page](std::string_view bytes) -> Status {
                            if (page.text.size() + bytes.size() > kPageBytesMax)
                              return exhausted("the hub's answer is larger than {} bytes",
                                               kPageBytesMax);
                            page.text += bytes;
                            return {};
                          }};
    const auto answer = http_.get(url, 0, sink);
    if (!answer) return {answer.error(), answer.error().code == Code::kUnavailable};
    if (answer->status != 200) return judge(*answer, url);
    page.next = next_query(answer->link);
    return {};
  };
  PLINTH_TRY(persist(attempt, [] { return int64_t{0}; }));
  return page;
}

Client::Attempt Client::attempt_file(const std::string& url, PartFile& part, int64_t size,
                                     const std::function<void(int64_t)>& moved) {
  const int64_t offset = part.size();
  bool out_of_place = false;
  const Http::Sink sink{
      .head = [&](const Answer& answer) -> Status {
        if (answer.status != 206) return offset > 0 ? part.restart() : Status();
        if (answer.range_begin == offset && (answer.range_total < 0 || answer.range_total == size))
          return {};
        out_of_place = true;
        return data_loss("{}: asked for byte {} of {}, the server sends byte {} of {}",
                         printable(without_query(url)), offset, size, answer.range_begin,
                         answer.range_total);
      },
      .body = [&](std::string_view bytes) -> Status {
        PLINTH_TRY(part.write(bytes));
        moved(part.size());
        return {};
      }};
  const auto answer = http_.get(url, offset, sink);
  if (!answer) {
    // A server whose ranges are of no use is asked for the whole.
    if (out_of_place) {
      if (Status restarted = part.restart(); !restarted) return {std::move(restarted)};
      return {answer.error(), true, 0};
    }
    return {answer.error(), answer.error().code == Code::kUnavailable};
  }
  if (answer->status == 416) {
    if (Status restarted = part.restart(); !restarted) return {std::move(restarted)};
    return {data_loss("{}: the server has no byte {} (416)", printable(without_query(url)), offset),
            true, 0};
  }
  if (answer->status != 200 && answer->status != 206) return judge(*answer, url);
  if (part.size() < size)
    return {make_error(Code::kUnavailable, "{}: the connection ended after {} of {} bytes",
                       printable(without_query(url)), part.size(), size),
            true};
  return {};
}

Status Client::file(const std::string& url, PartFile& part, int64_t size,
                    const std::function<void(int64_t)>& moved) {
  if (part.size() == size) return {};  // nothing left to ask for; an empty file, too
  return persist([&] { return attempt_file(url, part, size, moved); },
                 [&part] { return part.size(); });
}

}  // namespace plinth::hub
