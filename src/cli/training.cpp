#include "cli/training.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

#include <fmt/format.h>

namespace plinth::cli {
namespace {

constexpr double kTerminalSeconds = 0.2;
constexpr double kPipeSeconds = 10.0;

int columns() {
  winsize size = {};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace

StepView::StepView(std::string label, const Context& context)
    : label_(label),
      view_(std::move(label)),
      quiet_(context.quiet),
      terminal_(isatty(STDERR_FILENO) == 1) {}

train::TrainHooks StepView::hooks() {
  train::TrainHooks hooks;
  hooks.on_step = [this](const train::StepReport& report) { show(report); };
  hooks.on_event = [this](const std::string& what) { say(what); };
  return hooks;
}

void StepView::show(const train::StepReport& report) {
  view_.take(report);
  shown_ = true;
  if (quiet_) return;
  const double now = watch_.seconds();
  const bool last = report.step == report.steps;
  if (terminal_ && (last || now - drawn_at_ >= kTerminalSeconds)) {
    drawn_at_ = now;
    draw();
  }
  if (!terminal_ && report.heldout >= 0 && (last || now - drawn_at_ >= kPipeSeconds)) {
    drawn_at_ = now;
    fmt::print(stderr, "{}\n", view_.line());
  }
}

// Said above the view, which is then drawn anew. Not even --quiet silences it.
void StepView::say(const std::string& what) {
  if (drawn_ > 0) fmt::print(stderr, "\x1b[{}A\r\x1b[J", drawn_);
  drawn_ = 0;
  fmt::print(stderr, "{}: {}\n", label_, what);
  if (shown_ && terminal_ && !quiet_) draw();
}

void StepView::draw() {
  if (drawn_ > 0) fmt::print(stderr, "\x1b[{}A", drawn_);
  const auto lines = view_.lines(columns());
  for (const auto& line : lines) fmt::print(stderr, "\r\x1b[2K{}\n", line);
  drawn_ = lines.size();
  std::fflush(stderr);
}

void StepView::finish() {
  if (terminal_ && shown_ && !quiet_) draw();
  drawn_ = 0;
}

}  // namespace plinth::cli
