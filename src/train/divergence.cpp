#include "train/divergence.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>

namespace plinth::train {
namespace {

double median(const std::deque<double>& values) {
  std::vector<double> sorted(values.begin(), values.end());
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  return *middle;
}

void remember(std::deque<double>& values, double value) {
  values.push_back(value);
  if (values.size() > DivergenceWatch::kWindow) values.pop_front();
}

}  // namespace

std::string DivergenceWatch::judge(const StepReport& report) {
  if (!std::isfinite(report.loss)) return fmt::format("the loss is {}", std::abs(report.loss));
  if (!std::isfinite(report.gradient_norm))
    return fmt::format("the gradient norm is {}", report.gradient_norm);
  if (losses_.size() >= kStepsBefore) {
    const double usual = median(losses_);
    if (report.loss > kLossFactor * usual && report.loss > usual + kLossAbove)
      return fmt::format("the loss is {:.3f}, the last steps had {:.3f}", report.loss, usual);
    const double usual_gradient = median(gradients_);
    if (usual_gradient > 0 && report.gradient_norm > kGradientFactor * usual_gradient)
      return fmt::format("the gradient norm is {:.3g}, the last steps had {:.3g}",
                         report.gradient_norm, usual_gradient);
  }
  remember(losses_, report.loss);
  remember(gradients_, report.gradient_norm);
  return {};
}

void DivergenceWatch::restart(std::span<const StepReport> before) {
  losses_.clear();
  gradients_.clear();
  for (const auto& report : before) {
    remember(losses_, report.loss);
    remember(gradients_, report.gradient_norm);
  }
}

}  // namespace plinth::train
