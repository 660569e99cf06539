#include "cli/training.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

#include "train/checkpoint.h"
#include "train/peers.h"

namespace plinth::cli {
namespace {

constexpr double kTerminalSeconds = 0.2;
constexpr double kPipeSeconds = 10.0;

struct Screen {
  int columns = 80;
  int rows = 24;
};

Screen screen() {
  winsize size = {};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
    return {};
  return {size.ws_col, size.ws_row};
}

bool can_draw() {
  const char* terminal = std::getenv("TERM");
  return isatty(STDERR_FILENO) == 1 && terminal != nullptr && std::string_view(terminal) != "dumb";
}

}  // namespace

StepView::StepView(const std::vector<std::string>& labels, const Context& context)
    : quiet_(context.quiet), terminal_(can_draw()) {
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
  fmt::print(stderr, "{}{}: {}\n", erased(), one.label, what);
  if (shown_ && terminal_ && !quiet_) draw();
}

std::vector<std::string> StepView::lines(int columns) const {
  if (runs_.size() == 1) return runs_.front().view.lines(columns);
  std::vector<std::string> going, others;
  for (const auto& one : runs_) {
    const bool goes = one.shown && one.view.last().step < one.view.last().steps;
    auto& where = goes ? going : others;
    where.push_back(one.shown ? one.view.line(columns)
                              : one.label.substr(0, static_cast<size_t>(columns - 1)));
  }
  going.insert(going.end(), others.begin(), others.end());
  return going;
}

// What takes our lines off the screen. One that was drawn wider than the terminal is now lies there
// in several rows.
std::string StepView::erased() {
  if (drawn_.empty()) return {};
  const auto columns = static_cast<size_t>(screen().columns);
  size_t rows = 0;
  for (const auto& line : drawn_)
    rows += std::max<size_t>(1, (line.size() + columns - 1) / columns);
  drawn_.clear();
  return fmt::format("\x1b[{}A\r\x1b[J", rows);
}

void StepView::draw() {
  const Screen now = screen();
  auto lines = this->lines(now.columns);
  lines.resize(std::min(lines.size(), static_cast<size_t>(std::max(1, now.rows - 1))));
  fmt::print(stderr, "{}{}\n", erased(), fmt::join(lines, "\n"));  // at once: no flicker
  drawn_ = std::move(lines);
}

void StepView::finish() {
  if (terminal_ && shown_ && !quiet_) draw();
  drawn_.clear();
}

Status check_resumable(const Path& run) {
  if (train::has_checkpoint(run)) return {};
  return not_found("{}: no checkpoint to go on from; without --resume the run begins there",
                   run.string());
}

Status check_one_process(std::string_view what) {
  const int64_t launched = train::launched_processes();
  if (launched == 1) return {};
  return invalid("{} runs in one process; a launcher started {}, which would all do the same", what,
                 launched);
}

}  // namespace plinth::cli
