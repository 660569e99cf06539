// What pretrain and tune share on the command line: the live view, and hooks that stop on Ctrl-C.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "core/clock.h"
#include "train/live_view.h"
#include "train/train.h"

namespace plinth::cli {

// Shows runs on stderr. One: on a terminal a few lines drawn over themselves, elsewhere (and on one
// that cannot move its cursor, TERM=dumb) a line now and then when the held-out loss is measured.
// Several: a line each, of as many as the terminal has room for; those that go on come first. What
// must be said aloud stays on the screen.
class StepView {
 public:
  StepView(std::string label, const Context& context)
      : StepView(std::vector{std::move(label)}, context) {}

  StepView(const std::vector<std::string>& labels, const Context& context);

  // Hooks of a run that draw here; the view outlives it.
  train::TrainHooks hooks(size_t run = 0);
  void finish();

 private:
  struct One {
    std::string label;
    train::LiveView view;
    double printed_at = -1e9;
    bool shown = false;
  };

  void show(One& one, const train::StepReport& report);
  void say(const One& one, const std::string& what);
  void draw();
  std::string erased();
  std::vector<std::string> lines(int columns) const;

  std::vector<One> runs_;
  bool quiet_;
  bool terminal_;
  std::vector<std::string> drawn_;  // lines on the screen that are ours
  double drawn_at_ = -1e9;
  bool shown_ = false;
  Stopwatch watch_;
};

// --resume: kNotFound when `run` holds no checkpoint.
Status check_resumable(const Path& run);

// For what runs in one process: refused when a launcher such as mpirun started several.
Status check_one_process(std::string_view what);

}  // namespace plinth::cli
