#include "train/tune_data.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>

#include "core/hash.h"
#include "core/log.h"
#include "train/data/checks.h"
#include "train/data/data_files.h"
#include "train/data/packing.h"
#include "train/data/preferences.h"

namespace plinth::train {
namespace {

constexpr double kGeneralShare = 0.05;  // of the replay rows, to measure the general loss on

int64_t tokens_of(std::span<const Sample> samples) {
  int64_t tokens = 0;
  for (const auto& sample : samples) tokens += rows_of(sample);
  return tokens;
}

// A row is held out by its hash, so that equal rows stay on one side.
void split(std::vector<Sample> samples, double heldout_share, uint64_t seed,
           std::vector<Sample>& training, std::vector<Sample>& heldout) {
  const double limit = heldout_share * 0x1.0p64;
  for (auto& sample : samples) {
    const uint64_t key[] = {sample.row_hash, seed};
    const uint64_t drawn = xxh3({reinterpret_cast<const char*>(key), sizeof key});
    auto& side = static_cast<double>(drawn) < limit ? heldout : training;
    side.push_back(std::move(sample));
  }
}

void log_report(std::string_view what, const DatasetReport& report) {
  log_info(
      "{}: {} rows ({} unusable, {} repeated, {} in a suite), {} samples, {} tokens, {} with loss; "
      "{} samples cut ({} tokens), {} left with nothing to learn; {} held out, {} of them leaked",
      what, report.rows, report.bad_rows, report.duplicate_rows, report.suite_rows, report.samples,
      report.tokens, report.loss_tokens, report.truncated_samples, report.truncated_tokens,
      report.lost_samples, report.heldout_samples, report.leaked_samples);
  for (const auto& bad : report.bad) log_warn("{}: {}", bad.place, bad.reason);
  for (const auto& noted : report.noted) log_info("{}: {}", noted.place, noted.reason);
}

void number(std::span<Sample> samples) {
  for (size_t i = 0; i < samples.size(); ++i) samples[i].number = static_cast<int64_t>(i);
}

}  // namespace

Result<std::string> data_digest(const TuneRecipe& recipe) {
  Sha256 digest;
  for (const auto* paths : {&recipe.files, &recipe.replay, &recipe.heldout}) {
    if (paths == &recipe.heldout && paths->empty()) continue;
    PLINTH_TRY(const auto files, data_files(*paths));
    for (const auto& file : files) {
      PLINTH_TRY(const auto sha256, sha256_file(file));
      digest.update(sha256);
    }
    digest.update("\n");
  }
  return digest.hex();
}

Result<TuneData> read_data(const model::Model& base, const TuneRecipe& recipe,
                           const TuneHooks& hooks) {
  TuneData data;
  PLINTH_TRY(data.digest, data_digest(recipe));
  const DatasetOptions options{&base.tokenizer(), &hooks.chat, recipe.sequence,
                               recipe.limits.bad_rows_max, hooks.in_suite};
  const bool pairs = recipe.method == TuneMethod::kDpo;
  data.per_item = pairs ? 2 : 1;
  const auto read = [&](std::span<const Path> paths) {
    return pairs ? read_preferences(paths, options) : read_dataset(paths, options);
  };
  PLINTH_TRY(auto domain, read(recipe.files));
  data.report = std::move(domain.report);
  std::vector<Path> heldout_files = domain.files;  // that held-out samples come from
  if (recipe.heldout.empty()) {
    split(std::move(domain.samples), recipe.heldout_share, recipe.seed, data.training,
          data.heldout);
  } else {
    PLINTH_TRY(auto measured, read(recipe.heldout));
    data.training = std::move(domain.samples);
    data.heldout = std::move(measured.samples);
    heldout_files = std::move(measured.files);
  }
  data.domain = static_cast<int64_t>(data.training.size()) / data.per_item;
  if (data.domain == 0) return invalid("all {} samples are held out", data.heldout.size());
  if (!recipe.replay.empty()) {
    PLINTH_TRY(auto replay, read_dataset(recipe.replay, options));
    data.replay_report = std::move(replay.report);
    for (auto& sample : replay.samples) sample.replay = true;
    split(std::move(replay.samples), kGeneralShare, recipe.seed, data.training, data.general);
    remove_leaks(data.training, replay.files, data.general, data.replay_report);
  }
  remove_leaks(data.training, heldout_files, data.heldout, data.report);
  log_report("data", data.report);
  if (!recipe.replay.empty()) log_report("replay", data.replay_report);
  PLINTH_TRY(check_limits(data.report, recipe.limits));
  number(data.training);
  return data;
}

bool read_the_same(const TuneRecipe& a, const TuneRecipe& b) {
  const auto read = [](const TuneRecipe& r) {
    return std::tie(r.method, r.files, r.replay, r.heldout, r.heldout_share, r.seed, r.sequence,
                    r.limits);
  };
  return read(a) == read(b);
}

OrderShape order_shape(const TuneData& data, const TuneRecipe& recipe) {
  const std::span<const Sample> all = data.training;
  const auto domain = all.first(static_cast<size_t>(data.domain * data.per_item));
  const auto replay = all.subspan(domain.size());
  OrderShape shape{data.domain, static_cast<int64_t>(replay.size()), 0};
  if (replay.empty()) return shape;
  const double mean = static_cast<double>(tokens_of(replay)) / static_cast<double>(replay.size());
  const double wanted =
      recipe.replay_share / (1.0 - recipe.replay_share) * static_cast<double>(tokens_of(domain));
  shape.replay_per_epoch = std::max<int64_t>(1, std::llround(wanted / mean));
  return shape;
}

}  // namespace plinth::train
