// What pretrain and tune share on the command line: the live view, and hooks that stop on Ctrl-C.
#pragma once

#include <string>

#include "cli/command.h"
#include "core/progress.h"
#include "train/train.h"

namespace plinth::cli {

// Shows each step on the terminal: loss, held-out loss, learning rate, tokens/s.
class StepView {
 public:
  StepView(std::string label, const Context& context);

  // Hooks that draw here; the view outlives the run.
  train::TrainHooks hooks();
  void finish();

 private:
  void show(const train::StepReport& report);

  std::string label_;
  bool quiet_;
  double heldout_ = -1;
  std::unique_ptr<Progress> progress_;
};

}  // namespace plinth::cli
