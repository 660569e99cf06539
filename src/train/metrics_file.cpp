#include "train/metrics_file.h"

#include <sys/resource.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "core/json.h"

namespace plinth::train {
namespace {

struct Kept {
  std::string_view lines;
  std::vector<StepReport> last;
};

// Lines of steps up to `step`; the first line that says something else ends the file.
Kept lines_up_to(std::string_view text, int64_t step) {
  Kept kept;
  size_t begin = 0;
  for (size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n', begin)) {
    const auto line = parse_json(text.substr(begin, end - begin), "metrics line");
    if (!line || !line->is_object() || int_or(*line, "step", step + 1) > step) break;
    StepReport report;
    report.step = int_or(*line, "step", 0);
    report.loss = number_or(*line, "loss", 0);
    report.gradient_norm = number_or(*line, "grad_norm", 0);
    if (kept.last.size() == MetricsFile::kLinesKept) kept.last.erase(kept.last.begin());
    kept.last.push_back(report);
    begin = end + 1;
  }
  kept.lines = text.substr(0, begin);
  return kept;
}

}  // namespace

Result<MetricsFile> MetricsFile::open(const Path& run_dir, int64_t step) {
  const Path path = run_dir / "metrics.jsonl";
  std::vector<StepReport> last;
  if (std::filesystem::exists(path)) {
    PLINTH_TRY(const auto text, read_file(path));
    Kept kept = lines_up_to(text, step);
    PLINTH_TRY(write_file_atomic(path, kept.lines));
    last = std::move(kept.last);
  }
  PLINTH_TRY(auto file, OutputFile::create(path, /*append=*/true));
  return MetricsFile(std::move(file), std::move(last));
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
  if (report.general >= 0) line["general"] = report.general;
  PLINTH_TRY(file_.write(to_text(line) + "\n"));
  return file_.flush();
}

int64_t peak_resident_bytes() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;  // Linux reports KiB
}

}  // namespace plinth::train
