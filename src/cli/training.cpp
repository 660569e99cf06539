#include "cli/training.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "train/peers.h"

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

StepView::StepView(const std::vector<std::string>& labels, const Context& context)
    : quiet_(context.quiet), terminal_(isatty(STDERR_FILENO) == 1) {
  for (const auto& label : labels) runs_.push_back({label, train::LiveView(label)});
}

train::TrainHooks StepView::hooks(size_t run) {
  train::TrainHooks hooks;
  hooks.on_step = [this, run](const train::StepReport& report) { show(runs_[run], report); };
  hooks.on_event = [this, run](const std::string& what) { say(runs_[run], what); };
  return hooks;
}

void StepView::show(One& one, const train::StepReport& report) {
  one.view.take(report);
  one.shown = shown_ = true;
  if (quiet_) return;
  const double now = watch_.seconds();
  const bool last = report.step == report.steps;
  if (terminal_ && (last || now - drawn_at_ >= kTerminalSeconds)) {
    drawn_at_ = now;
    draw();
  }
  if (!terminal_ && report.heldout >= 0 && (last || now - one.printed_at >= kPipeSeconds)) {
    one.printed_at = now;
    fmt::print(stderr, "{}\n", one.view.line());
  }
}

// Said above the view, which is then drawn anew. Not even --quiet silences it.
void StepView::say(const One& one, const std::string& what) {
  if (drawn_ > 0) fmt::print(stderr, "\x1b[{}A\r\x1b[J", drawn_);
  drawn_ = 0;
  fmt::print(stderr, "{}: {}\n", one.label, what);
  if (shown_ && terminal_ && !quiet_) draw();
}

std::vector<std::string> StepView::lines() const {
  const int width = columns();
  if (runs_.size() == 1) return runs_.front().view.lines(width);
  std::vector<std::string> all;
  for (const auto& one : runs_) {
    all.push_back(one.shown ? one.view.line() : one.label);
    all.back().resize(std::min(all.back().size(), static_cast<size_t>(std::max(20, width - 1))));
  }
  return all;
}

void StepView::draw() {
  if (drawn_ > 0) fmt::print(stderr, "\x1b[{}A", drawn_);
  const auto lines = this->lines();
  for (const auto& line : lines) fmt::print(stderr, "\r\x1b[2K{}\n", line);
  drawn_ = lines.size();
  std::fflush(stderr);
}

void StepView::finish() {
  if (terminal_ && shown_ && !quiet_) draw();
  drawn_ = 0;
}

Status check_one_process(std::string_view what) {
  const int64_t launched = train::launched_processes();
  if (launched == 1) return {};
  return invalid("{} runs in one process; a launcher started {}, which would all do the same", what,
                 launched);
}

}  // namespace plinth::cli
