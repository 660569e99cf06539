#include "cli/training.h"

namespace plinth::cli {

StepView::StepView(std::string label, const Context& context)
    : label_(std::move(label)), quiet_(context.quiet) {}

train::TrainHooks StepView::hooks() {
  train::TrainHooks hooks;
  hooks.on_step = [this](const train::StepReport& report) { show(report); };
  return hooks;
}

void StepView::show(const train::StepReport& report) {
  if (progress_ == nullptr) progress_ = std::make_unique<Progress>(label_, report.steps, quiet_);
  if (report.heldout >= 0) heldout_ = report.heldout;
  std::string detail = fmt::format("loss {:.3f}", report.loss);
  if (heldout_ >= 0) detail += fmt::format(", held-out {:.3f}", heldout_);
  detail += fmt::format(", lr {:.1e}, {:.0f} tokens/s", report.learning_rate, report.tokens_per_s);
  progress_->update(report.step, detail);
}

void StepView::finish() {
  if (progress_ != nullptr) progress_->finish();
}

}  // namespace plinth::cli
