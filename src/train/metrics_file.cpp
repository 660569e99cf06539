#include "train/metrics_file.h"

#include <sys/resource.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "core/json.h"

namespace plinth::train {
namespace {

// Lines of steps up to `step`; the first line that says something else ends the file.
std::string lines_up_to(std::string_view text, int64_t step) {
  size_t kept = 0;
  while (kept < text.size()) {
    const size_t end = text.find('\n', kept);
    if (end == std::string_view::npos) break;
    const auto line = parse_json(text.substr(kept, end - kept), "metrics line");
    if (!line || !line->is_object()) break;
    const int64_t at = int_or(*line, "step", step + 1);
    if (at > step) break;
    kept = end + 1;
  }
  return std::string(text.substr(0, kept));
}

}  // namespace

Result<MetricsFile> MetricsFile::open(const Path& run_dir, int64_t step) {
  const Path path = run_dir / "metrics.jsonl";
  if (std::filesystem::exists(path)) {
    PLINTH_TRY(const auto text, read_file(path));
    PLINTH_TRY(write_file_atomic(path, lines_up_to(text, step)));
  }
  PLINTH_TRY(auto file, OutputFile::create(path, /*append=*/true));
  return MetricsFile(std::move(file));
}

Status MetricsFile::append(const StepReport& report) {
  Json line = {{"step", report.step},
               {"loss", report.loss},
               {"heldout", nullptr},
               {"lr", report.learning_rate},
               {"grad_norm", report.gradient_norm},
               {"tokens", report.tokens},
               {"tokens_per_s", report.tokens_per_s},
               {"peak_bytes", report.peak_bytes}};
  if (report.heldout >= 0) line["heldout"] = report.heldout;
  PLINTH_TRY(file_.write(to_text(line) + "\n"));
  return file_.flush();
}

int64_t peak_resident_bytes() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;  // Linux reports KiB
}

}  // namespace plinth::train
