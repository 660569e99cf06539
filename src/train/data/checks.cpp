#include "train/data/checks.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace plinth::train {
namespace {

constexpr int kNamedOfAKind = 5;

struct Share {
  int64_t part = 0;
  int64_t whole = 0;
  double max = 0;
  std::string_view what;
  std::string_view key;
  std::string_view kind;  // of the notes; empty: the bad rows
  std::string_view advice;
};

std::string named_rows(const DatasetReport& report, std::string_view kind) {
  std::string named;
  const auto add = [&](const BadLine& line) {
    named += fmt::format("\n  {}: {}", line.place, line.reason);
  };
  if (kind.empty()) std::ranges::for_each(report.bad, add);
  for (const auto& line : report.noted)
    if (!kind.empty() && line.reason.starts_with(kind)) add(line);
  return named;
}

}  // namespace

void note(DatasetReport& report, std::string_view kind, std::string place, std::string reason) {
  const auto same = [kind](const BadLine& line) { return line.reason.starts_with(kind); };
  if (std::ranges::count_if(report.noted, same) < kNamedOfAKind)
    report.noted.push_back({std::move(place), fmt::format("{}: {}", kind, reason)});
}

void remove_leaks(std::span<const Sample> training, std::span<const Path> files,
                  std::vector<Sample>& heldout, DatasetReport& report) {
  std::unordered_set<uint64_t> trained;
  for (const auto& sample : training) trained.insert(sample.content_hash);
  report.heldout_samples += static_cast<int64_t>(heldout.size());
  std::erase_if(heldout, [&](const Sample& sample) {
    if (!trained.contains(sample.content_hash)) return false;
    ++report.leaked_samples;
    note(report, "leaked", place_of(sample, files), "held out, and trained on by another row");
    return true;
  });
}

Status check_limits(const DatasetReport& report, const DataLimits& limits) {
  const int64_t samples = report.samples + report.lost_samples;
  const Share shares[] = {
      {report.bad_rows, report.rows, limits.bad_rows_max, "rows cannot be used",
       "data.bad_rows_max", "", "mend them"},
      {report.truncated_samples, samples, limits.truncated_max, "samples lose their end",
       "data.truncated_max", "cut", "raise train.sequence"},
      {report.lost_samples, samples, limits.empty_max, "samples lose everything there was to learn",
       "data.empty_max", "empty", "raise train.sequence"},
      {report.duplicate_rows, report.rows, limits.duplicates_max, "rows repeat an earlier one",
       "data.duplicates_max", "repeated", "remove them"},
      {report.leaked_samples, report.heldout_samples, limits.leaked_max,
       "held-out samples are trained on as well", "data.leaked_max", "leaked",
       "remove repetitions"},
      {report.suite_rows, report.rows, limits.leaked_max, "rows share text with a suite",
       "data.leaked_max", "suite", "remove them"},
  };
  for (const auto& share : shares) {
    if (static_cast<double>(share.part) <= share.max * static_cast<double>(share.whole)) continue;
    return invalid("{} of {} {} (more than {} = {}): {}, or raise the limit{}", share.part,
                   share.whole, share.what, share.key, share.max, share.advice,
                   named_rows(report, share.kind));
  }
  return {};
}

Json to_json(const DatasetReport& report) {
  const auto named = [](const std::vector<BadLine>& lines) {
    Json all = Json::array();
    for (const auto& line : lines) all.push_back({{"place", line.place}, {"reason", line.reason}});
    return all;
  };
  return {{"rows", report.rows},
          {"bad_rows", report.bad_rows},
          {"bad", named(report.bad)},
          {"template_rows", report.template_rows},
          {"duplicate_rows", report.duplicate_rows},
          {"suite_rows", report.suite_rows},
          {"samples", report.samples},
          {"tokens", report.tokens},
          {"loss_tokens", report.loss_tokens},
          {"truncated_samples", report.truncated_samples},
          {"truncated_tokens", report.truncated_tokens},
          {"lost_samples", report.lost_samples},
          {"heldout_samples", report.heldout_samples},
          {"leaked_samples", report.leaked_samples},
          {"noted", named(report.noted)}};
}

}  // namespace plinth::train
