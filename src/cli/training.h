// What pretrain and tune share on the command line: the live view, and hooks that stop on Ctrl-C.
#pragma once

#include <string>

#include "cli/command.h"
#include "core/clock.h"
#include "train/live_view.h"
#include "train/train.h"

namespace plinth::cli {

// Shows a run on stderr: on a terminal a few lines drawn over themselves, elsewhere a line now and
// then when the held-out loss is measured. What must be said aloud stays on the screen.
class StepView {
 public:
  StepView(std::string label, const Context& context);

  // Hooks that draw here; the view outlives the run.
  train::TrainHooks hooks();
  void finish();

 private:
  void show(const train::StepReport& report);
  void say(const std::string& what);
  void draw();

  std::string label_;
  train::LiveView view_;
  bool quiet_;
  bool terminal_;
  size_t drawn_ = 0;  // lines on the screen that are ours
  double drawn_at_ = -1e9;
  bool shown_ = false;
  Stopwatch watch_;
};

}  // namespace plinth::cli
