#include "train/metrics_prom.h"

#include <iterator>
#include <string_view>

#include <fmt/format.h>

namespace plinth::train {
namespace {

constexpr double kSecondsBetween = 1.0;

// A label's value: quotes, backslashes and line ends are escaped.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

}  // namespace

std::string prometheus_text(const std::string& run, const StepReport& report, int64_t divergences,
                            double left_s) {
  std::string text;
  const std::string label = escaped(run);
  const auto put = [&](std::string_view name, std::string_view type, std::string_view help,
                       double value) {
    fmt::format_to(std::back_inserter(text),
                   "# HELP plinth_train_{0} {1}\n# TYPE plinth_train_{0} {2}\n"
                   "plinth_train_{0}{{run=\"{3}\"}} {4}\n",
                   name, help, type, label, value);
  };
  put("step", "gauge", "Steps done.", static_cast<double>(report.step));
  put("steps", "gauge", "Steps of the whole run.", static_cast<double>(report.steps));
  put("loss", "gauge", "Loss of the last step, nats per token.", report.loss);
  if (report.heldout >= 0)
    put("heldout_loss", "gauge", "Held-out loss when last measured, nats per token.",
        report.heldout);
  if (report.general >= 0)
    put("general_loss", "gauge", "Loss on general rows when last measured, nats per token.",
        report.general);
  put("learning_rate", "gauge", "Learning rate of the last step.", report.learning_rate);
  put("gradient_norm", "gauge", "Global gradient norm before clipping.", report.gradient_norm);
  put("tokens_total", "counter", "Tokens read since step 1.", static_cast<double>(report.tokens));
  put("tokens_per_second", "gauge", "Speed of the last step.", report.tokens_per_s);
  put("peak_memory_bytes", "gauge", "Largest resident size of the process so far.",
      static_cast<double>(report.peak_bytes));
  put("divergences_total", "counter", "Times the run went back to a checkpoint.",
      static_cast<double>(divergences));
  if (left_s >= 0) put("left_seconds", "gauge", "Time until the last step.", left_s);
  return text;
}

Status MetricsProm::update(const StepReport& report, int64_t divergences, bool last) {
  const double now = watch_.seconds();
  if (first_step_ < 0) {
    first_step_ = report.step;
    first_at_ = now;
  }
  if (report.heldout >= 0) heldout_ = report.heldout;
  if (report.general >= 0) general_ = report.general;
  if (!last && now - written_at_ < kSecondsBetween) return {};
  written_at_ = now;
  StepReport shown = report;
  shown.heldout = heldout_;
  shown.general = general_;
  const auto done = static_cast<double>(report.step - first_step_);
  const double left =
      done > 0 ? (now - first_at_) / done * static_cast<double>(report.steps - report.step) : -1;
  return write_file_atomic(
      path_, prometheus_text(path_.parent_path().filename().string(), shown, divergences, left));
}

}  // namespace plinth::train
