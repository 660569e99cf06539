#include "train/live_view.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

namespace plinth::train {
namespace {

// The parts, as many from the first on as fit into `width`.
std::string joined(const std::vector<std::string>& parts, std::string_view between, size_t width) {
  std::string text = parts.front().substr(0, width);
  for (size_t i = 1; i < parts.size(); ++i) {
    if (parts[i].empty()) continue;
    if (text.size() + between.size() + parts[i].size() > width) break;
    text += between;
    text += parts[i];
  }
  return text;
}

size_t width_of(int columns) {
  return static_cast<size_t>(std::max(20, columns - 1));
}

}  // namespace

void LiveView::take(const StepReport& report) {
  const double now = watch_.seconds();
  if (first_at_ < 0 || report.step <= last_.step) {
    first_at_ = now;
    first_step_ = report.step;
  }
  if (report.step <= last_.step) {  // the run went back
    const auto kept = static_cast<size_t>(std::max<int64_t>(
        0, static_cast<int64_t>(losses_.size()) - (last_.step - report.step + 1)));
    losses_.resize(kept);
  }
  last_ = report;
  losses_.push_back(report.loss);
  if (report.general >= 0) general_ = report.general;
  if (report.heldout < 0) return;
  heldout_ = report.heldout;
  if (best_ < 0 || heldout_ < best_) {
    best_ = heldout_;
    best_step_ = report.step;
  }
}

std::vector<std::string> LiveView::lines(int columns) const {
  const size_t width = width_of(columns);
  const double share =
      last_.steps > 0 ? static_cast<double>(last_.step) / static_cast<double>(last_.steps) : 0;
  const std::vector<std::string> behind = {fmt::format("{}/{}", last_.step, last_.steps),
                                           fmt::format("{:.0f} %", 100 * share), left()};
  // A bar where there is room for one.
  std::string start = label_;
  const size_t around = label_.size() + joined(behind, "  ", width).size() + 5;
  if (width >= around + 4) {
    const size_t bar = std::min<size_t>(40, width - around);
    const auto full = static_cast<size_t>(share * static_cast<double>(bar));
    start += fmt::format(" [{}{}]", std::string(full, '#'), std::string(bar - full, '-'));
  }
  std::vector<std::string> progress = {start};
  progress.insert(progress.end(), behind.begin(), behind.end());
  const std::string general = general_ >= 0 ? fmt::format("general {:.3f}", general_) : "";
  std::string heldout, best;
  if (heldout_ >= 0) {
    heldout = fmt::format("held-out {:.3f}", heldout_);
    best = fmt::format("best {:.3f} at {}", best_, best_step_);
  }
  return {joined(progress, "  ", width),
          joined({fmt::format("loss {:.3f}", last_.loss), heldout, best, general}, "  ", width),
          joined({fmt::format("lr {:.1e}", last_.learning_rate),
                  fmt::format("gradient {:.2f}", last_.gradient_norm),
                  fmt::format("{:.0f} tokens/s", last_.tokens_per_s),
                  fmt::format("memory {:.0f} MB", static_cast<double>(last_.peak_bytes) / 1e6)},
                 "  ", width),
          joined({"loss so far " + curve(std::min<size_t>(60, width - 12))}, "", width)};
}

std::string LiveView::line(int columns) const {
  return joined({fmt::format("{} step {}/{}", label_, last_.step, last_.steps),
                 fmt::format("loss {:.3f}", last_.loss),
                 heldout_ >= 0 ? fmt::format("held-out {:.3f}", heldout_) : "",
                 general_ >= 0 ? fmt::format("general {:.3f}", general_) : "",
                 fmt::format("lr {:.1e}", last_.learning_rate),
                 fmt::format("gradient {:.2f}", last_.gradient_norm),
                 fmt::format("{:.0f} tokens/s", last_.tokens_per_s), left()},
                ", ", width_of(columns));
}

std::string LiveView::left() const {
  if (last_.step >= last_.steps) return "done";
  if (last_.step <= first_step_) return "";
  const double per_step =
      (watch_.seconds() - first_at_) / static_cast<double>(last_.step - first_step_);
  return duration_text(per_step * static_cast<double>(last_.steps - last_.step)) + " left";
}

// ASCII only: every terminal has it, and a byte is a column.
std::string LiveView::curve(size_t columns) const {
  constexpr std::string_view kShades = ".:-=+*#%@";
  const size_t n = std::min(columns, losses_.size());
  std::vector<double> means;
  for (size_t i = 0; i < n; ++i) {
    const size_t begin = i * losses_.size() / n;
    const size_t end = (i + 1) * losses_.size() / n;
    double sum = 0;
    for (size_t k = begin; k < end; ++k) sum += losses_[k];
    means.push_back(sum / static_cast<double>(end - begin));
  }
  if (means.empty()) return {};
  const auto [low, high] = std::minmax_element(means.begin(), means.end());
  std::string text;
  for (const double mean : means) {
    const double height = *high > *low ? (mean - *low) / (*high - *low) : 0;
    if (!std::isfinite(height)) {
      text += '!';
      continue;
    }
    text += kShades[static_cast<size_t>(height * static_cast<double>(kShades.size() - 1) + 0.5)];
  }
  return text;
}

std::string duration_text(double seconds) {
  const auto s = static_cast<int64_t>(std::llround(seconds));
  if (s < 60) return fmt::format("{}s", s);
  if (s < 3600) return fmt::format("{}m{:02}s", s / 60, s % 60);
  return fmt::format("{}h{:02}m", s / 3600, s / 60 % 60);
}

}  // namespace plinth::train
