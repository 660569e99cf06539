#include "core/progress.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>

#include <fmt/format.h>

namespace plinth {
namespace {

constexpr double kTerminalSeconds = 0.1;
constexpr double kPipeSeconds = 10.0;

std::string duration(double seconds) {
  const auto s = static_cast<int64_t>(std::llround(seconds));
  if (s < 60) return fmt::format("{}s", s);
  if (s < 3600) return fmt::format("{}m{:02}s", s / 60, s % 60);
  return fmt::format("{}h{:02}m", s / 3600, s / 60 % 60);
}

}  // namespace

Progress::Progress(std::string label, int64_t total, bool quiet)
    : label_(std::move(label)),
      total_(total),
      quiet_(quiet),
      terminal_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (!finished_ && terminal_ && !quiet_ && drawn_at_ >= 0) std::fputc('\n', stderr);
}

void Progress::update(int64_t done, std::string_view detail) {
  done_ = done;
  if (first_ < 0) first_ = done;
  const double now = watch_.seconds();
  if (quiet_ || now - drawn_at_ < (terminal_ ? kTerminalSeconds : kPipeSeconds)) return;
  drawn_at_ = now;
  draw(detail, false);
}

void Progress::finish(std::string_view detail) {
  if (finished_) return;
  finished_ = true;
  if (!quiet_) draw(detail, true);
}

void Progress::draw(std::string_view detail, bool last) {
  const double seconds = watch_.seconds();
  std::string line = label_;
  if (total_ > 0) {
    const double share = static_cast<double>(done_) / static_cast<double>(total_);
    line += fmt::format(" {}/{} {:3.0f} %", done_, total_, 100.0 * share);
    if (!last && done_ > first_)
      line += fmt::format(", {} left", duration(seconds * static_cast<double>(total_ - done_) /
                                                static_cast<double>(done_ - first_)));
  } else if (done_ > 0) {
    line += fmt::format(" {}", done_);
  }
  if (last) line += fmt::format(" in {}", duration(seconds));
  if (!detail.empty()) line += fmt::format(", {}", detail);
  if (terminal_)
    fmt::print(stderr, "\r\x1b[2K{}{}", line, last ? "\n" : "");
  else
    fmt::print(stderr, "{}\n", line);
  std::fflush(stderr);
}

}  // namespace plinth
