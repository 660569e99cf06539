#include "train/tuning/tuning.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/clock.h"
#include "core/hash.h"
#include "core/log.h"
#include "train/lineage.h"
#include "train/math/noise.h"
#include "train/metrics_file.h"
#include "train/run_report.h"
#include "train/tuning/step_plan.h"

namespace plinth::train {
namespace {

// What an extended run may change.
constexpr std::string_view kMayDiffer[] = {
    "train.steps",           "train.epochs",      "train.checkpoint_every", "train.eval_every",
    "data.general_rise_max", "data.bad_rows_max", "data.truncated_max",     "data.empty_max",
    "data.duplicates_max",   "data.leaked_max",   "train.patience",         "train.divergences_max",
    "train.memory"};

constexpr int kStrengths = 32;  // the adapter's strength is a multiple of a 32nd

}  // namespace

std::map<std::string, std::string> identity_of(const TuneRecipe& recipe, const model::Model& base,
                                               const std::string& data_digest) {
  auto fields = recipe.fields();
  fields["data.sha256"] = data_digest;
  fields["base.sha256"] = base.digest();
  fields["base.template_sha256"] = sha256_hex(base.chat_template());
  return fields;
}

Tuning::Tuning(std::shared_ptr<const model::Model> base, Learner& learner, const TuneRecipe& recipe,
               const Path& run_dir, std::shared_ptr<const TuneData> data, Crew& crew,
               int64_t member)
    : base_(std::move(base)),
      recipe_(&recipe),
      run_dir_(run_dir),
      data_(std::move(data)),
      fields_(identity_of(recipe, *base_, data_->digest)),
      order_(order_shape(*data_, recipe), recipe.seed),
      learner_(&learner),
      crew_(&crew),
      member_(member),
      optimizer_(tensor::default_ops(), learner.parameters(),
                 {recipe.beta1, recipe.beta2, 1e-8, recipe.weight_decay, recipe.clip}),
      best_(learner.parameters().size()) {
  keep_as_best(0, -1);
  steps_ = steps_of(recipe, *data_, order_);
}

// Begins, or goes on from the folder's checkpoint.
Status Tuning::start() {
  const auto all = arenas();
  PLINTH_TRY(auto state, load_checkpoint(run_dir_, {&fields_, kMayDiffer}, all));
  if (!state) {
    PLINTH_TRY(heldout_before_, measure(data_->heldout));
    if (recipe_->method == TuneMethod::kFull) {
      PLINTH_TRY(general_before_, measure(data_->general));
    }
    // Where a run that diverges before its first checkpoint goes back to.
    return recipe_->divergences_max > 0 ? save() : Status();
  }
  restore(*std::move(state));
  skipped_ = SkippedData::from_json(state_.extra);
  log_info("{}: going on after step {}", run_dir_.string(), state_.step);
  return {};
}

void Tuning::restore(CheckpointState state) {
  state_ = std::move(state);
  optimizer_.set_steps(int_or(state_.extra, "updates", state_.step));
  best_step_ = int_or(state_.extra, "best_step", 0);
  best_heldout_ = number_or(state_.extra, "best_heldout", -1);
  heldout_before_ = number_or(state_.extra, "heldout_before", -1);
  general_before_ = number_or(state_.extra, "general_before", -1);
  waited_ = int_or(state_.extra, "waited", 0);
}

Result<int64_t> Tuning::go_back(const std::string& reason) {
  skipped_.add({tried_cursor_, next_cursor_, reason});
  PLINTH_TRY(auto state, load_checkpoint(run_dir_, {&fields_, kMayDiffer}, arenas()));
  if (!state) return internal_error("{}: no checkpoint to go back to", run_dir_.string());
  restore(*std::move(state));
  return skipped_.times();
}

bool Tuning::wants_stop() const {
  return recipe_->patience > 0 && waited_ >= recipe_->patience && !data_->heldout.empty();
}

Json Tuning::about() const {
  Json named = Json::array();
  for (const auto* report : {&data_->report, &data_->replay_report})
    for (const auto* lines : {&report->bad, &report->noted})
      for (const auto& line : *lines)
        named.push_back({{"place", line.place}, {"reason", line.reason}});
  return {{"Recipe", fields_},
          {"Base", {{"name", base_->config().name}, {"sha256", base_->digest()}}},
          {"Data", to_json(data_->report)},
          {"General data", recipe_->replay.empty() ? Json() : to_json(data_->replay_report)},
          {"Rows to look at", named},
          {"Steps undone", skipped_.reasons()}};
}

Status Tuning::save() {
  state_.recipe = fields_;
  state_.extra = {{"updates", optimizer_.steps()},     {"best_step", best_step_},
                  {"best_heldout", best_heldout_},     {"heldout_before", heldout_before_},
                  {"general_before", general_before_}, {"waited", waited_},
                  {"skipped", skipped_.to_json()}};
  return save_checkpoint(run_dir_, state_, arenas());
}

Work Tuning::begin_step() {
  tried_cursor_ = state_.cursor;
  auto taken = samples_of_step(*recipe_, *data_, order_, skipped_, tried_cursor_);
  next_cursor_ = taken.next_cursor;
  const auto samples = std::move(taken.samples);
  double total = 0;
  rows_ = 0;
  for (const auto* sample : samples) {
    total += (sample->replay ? recipe_->replay_weight : 1.0) *
             static_cast<double>(sample->loss_tokens());
    rows_ += rows_of(*sample);
  }
  // The mean over the whole step's tokens with loss, however they fall into micro-batches.
  const RowWeights weights{static_cast<float>(1.0 / total),
                           static_cast<float>(recipe_->replay_weight / total)};
  preference_ = preference_over(samples.size());
  batches_ = micro_batches(samples, weights);
  return {member_, batches_, preference_};
}

Result<StepReport> Tuning::end_step(double loss, double seconds) {
  const Stopwatch watch;
  StepReport report;
  report.step = state_.step + 1;
  report.steps = steps_;
  report.learning_rate = learning_rate(schedule(), report.step);
  report.loss = loss;
  if (!std::isfinite(report.loss) && recipe_->divergences_max > 0) {
    std::ranges::fill(learner_->parameters().gradients(), 0.0f);
    return report;  // nothing has changed; the loop goes back
  }
  if (!std::isfinite(report.loss))
    return internal_error("step {}: the loss is {}; lower train.lr ({})", report.step, report.loss,
                          recipe_->lr);
  report.gradient_norm = optimizer_.step(learner_->parameters(), report.learning_rate);
  if (!std::isfinite(report.gradient_norm))
    log_warn("step {}: the gradient norm is {}, the update is left out", report.step,
             report.gradient_norm);
  ++state_.step;
  state_.cursor = next_cursor_;
  state_.tokens += rows_;
  report.tokens = state_.tokens;
  report.seconds = seconds + watch.seconds();
  report.tokens_per_s = static_cast<double>(rows_) / report.seconds;
  report.peak_bytes = peak_resident_bytes();
  return report;
}

Result<double> Tuning::heldout() {
  PLINTH_TRY(const double nats, measure(data_->heldout));
  const bool better = best_step_ == 0 || data_->heldout.empty() || nats < best_heldout_;
  if (better) keep_as_best(state_.step, nats);
  waited_ = better ? 0 : waited_ + 1;
  return nats;
}

Result<TuneSummary> Tuning::finish(const LoopResult& done) {
  std::copy_n(best_.data(), best_.size(), learner_->parameters().values().data());
  TuneSummary summary;
  summary.steps = state_.step;
  summary.tokens = state_.tokens;
  summary.loss = done.loss;
  summary.heldout_before = heldout_before_;
  PLINTH_TRY(summary.strength, settle_strength(summary.general_before, summary.general));
  summary.heldout = best_heldout_;
  if (summary.strength < 1 || is_pairs()) {
    PLINTH_TRY(summary.heldout, measure(data_->heldout));
  }
  summary.best_step = best_step_;
  summary.tokens_per_s = done.tokens_per_s;
  summary.data = data_->report;
  summary.replay = data_->replay_report;
  if (is_pairs()) summary.preferred = preferred_;
  PLINTH_TRY(learner_->write(run_dir_, lineage(), summary));
  PLINTH_TRY(write_lineage(run_dir_, fields_, facts(summary)));
  Json all = about();
  all["Result"] = facts(summary);
  PLINTH_TRY(write_run_report(run_dir_, all));
  return summary;
}

std::array<Arena, 4> Tuning::arenas() {
  return {Arena{"weights", learner_->parameters().values()},
          Arena{"adam_m", optimizer_.first_moments()}, Arena{"adam_v", optimizer_.second_moments()},
          Arena{"best", best_.span()}};
}

Schedule Tuning::schedule() const {
  if (recipe_->lr_low > 0)
    return {ScheduleKind::kRange, recipe_->lr, 0, steps_, 0.0, recipe_->lr_low / recipe_->lr};
  const auto warmup = static_cast<int64_t>(recipe_->warmup_share * static_cast<double>(steps_));
  return {ScheduleKind::kCosine, recipe_->lr, warmup, steps_, 0.0, 0.0};
}

// The mean over the pairs of `samples`.
std::optional<PreferenceOptions> Tuning::preference_over(size_t samples) const {
  if (!is_pairs()) return std::nullopt;
  return PreferenceOptions{recipe_->dpo_beta, 2.0 / static_cast<double>(samples)};
}

std::vector<MicroBatch> Tuning::micro_batches(std::vector<const Sample*> samples,
                                              RowWeights weights) const {
  auto batches = packed(std::move(samples), weights);
  const uint64_t key[] = {recipe_->seed, static_cast<uint64_t>(state_.step)};
  const uint64_t step_seed = xxh3({reinterpret_cast<const char*>(key), sizeof key});
  if (recipe_->neftune_alpha > 0)
    for (auto& batch : batches) set_noise(recipe_->neftune_alpha, step_seed, batch);
  return batches;
}

// Replay samples that are to stay with the base have micro-batches of their own.
std::vector<MicroBatch> Tuning::packed(std::vector<const Sample*> samples,
                                       RowWeights weights) const {
  std::vector<MicroBatch> batches;
  const auto kinds = kinds_of(*recipe_, std::move(samples));
  for (size_t kind = 0; kind < kinds.size(); ++kind)
    for (auto& batch : pack(kinds[kind], recipe_->micro_tokens, weights, data_->per_item)) {
      batch.anchored = kind > 0;
      batches.push_back(std::move(batch));
    }
  return batches;
}

// Leaves the adapter at the largest strength at which the general loss rises no more than it may.
Result<double> Tuning::settle_strength(double& before, double& after) {
  const auto general_at = [this](int strength) {
    learner_->set_strength(static_cast<double>(strength) / kStrengths);
    return measure(data_->general);
  };
  if (data_->general.empty()) return 1.0;
  if (recipe_->method == TuneMethod::kFull) {
    before = general_before_;
    PLINTH_TRY(after, measure(data_->general));
    return 1.0;
  }
  PLINTH_TRY(before, general_at(0));
  PLINTH_TRY(after, general_at(kStrengths));
  int good = kStrengths;
  if (recipe_->general_rise_max > 0 && after - before > recipe_->general_rise_max) {
    good = 0;
    for (int bad = kStrengths; bad - good > 1;) {
      const int middle = (good + bad) / 2;
      PLINTH_TRY(const double general, general_at(middle));
      (general - before > recipe_->general_rise_max ? bad : good) = middle;
    }
    PLINTH_TRY(after, general_at(good));
  }
  return static_cast<double>(good) / kStrengths;
}

// Mean nats over the tokens with loss, or the mean loss over pairs; -1 without samples.
Result<double> Tuning::measure(std::span<const Sample> of) {
  if (of.empty()) return -1.0;
  std::vector<const Sample*> samples;
  int64_t loss_tokens = 0;
  for (const auto& sample : of) {
    samples.push_back(&sample);
    loss_tokens += sample.loss_tokens();
  }
  const auto batches = pack(samples, recipe_->micro_tokens, {}, data_->per_item);
  PLINTH_TRY(const auto sum, crew_->losses({member_, batches, preference_over(samples.size())}));
  if (!is_pairs()) return sum.loss / static_cast<double>(loss_tokens);
  preferred_ = static_cast<double>(sum.preferred) / static_cast<double>(sum.pairs);
  return sum.loss;
}

// The same for every run of this recipe over these files and this base: no times, no paths.
model::Lineage Tuning::lineage() const {
  return {{"plinth.base_sha256", base_->digest()},
          {"plinth.template_sha256", fields_.at("base.template_sha256")},
          {"plinth.dataset_sha256", data_->digest},
          {"plinth.recipe_sha256", recipe_digest(fields_)},
          {"plinth.code", code_version()},
          {"plinth.seed", fmt::format("{}", recipe_->seed)}};
}

void Tuning::keep_as_best(int64_t step, double heldout) {
  std::copy_n(learner_->parameters().values().data(), best_.size(), best_.data());
  best_step_ = step;
  best_heldout_ = heldout;
}

Json Tuning::facts(const TuneSummary& summary) const {
  Json facts = to_json(summary);
  facts.update({{"kind", "tune"},
                {"dataset_sha256", data_->digest},
                {"base", base_->config().name},
                {"base_sha256", base_->digest()},
                {"seed", recipe_->seed},
                {"steps_undone", skipped_.reasons()}});
  return facts;
}

}  // namespace plinth::train
