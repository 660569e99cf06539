#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <numbers>
#include <utility>

#include "core/clock.h"
#include "core/log.h"
#include "train/checkpoint.h"
#include "train/data/token_store.h"
#include "train/data/window_order.h"
#include "train/lineage.h"
#include "train/math/base_parameters.h"
#include "train/math/optimizer.h"
#include "train/math/tape.h"
#include "train/metrics_file.h"
#include "train/run_loop.h"
#include "train/skipped_data.h"
#include "train/train.h"

namespace plinth::train {
namespace {

// What an extended run may change.
constexpr std::string_view kMayDiffer[] = {"train.steps",          "train.schedule",
                                           "train.decay_fraction", "train.checkpoint_every",
                                           "train.eval_every",     "train.divergences_max"};

// Appends tokens[first, first + n] as a segment of n rows: each row's target is the next token.
void append_window(std::span<const uint16_t> tokens, int64_t first, int64_t n, float weight,
                   MicroBatch& batch) {
  if (batch.segment_starts.empty()) batch.segment_starts.push_back(0);
  for (int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<size_t>(first + i);
    batch.tokens.push_back(tokens[at]);
    batch.targets.push_back(tokens[at + 1]);
    batch.positions.push_back(static_cast<int32_t>(i));
    batch.weights.push_back(weight);
  }
  batch.segment_starts.push_back(static_cast<int32_t>(batch.rows()));
}

// Everything that a pretraining run holds in memory.
class Pretraining : public SoloRun {
 public:
  Pretraining(const PretrainRecipe& recipe, const Path& run_dir, TokenStore store)
      : recipe_(&recipe),
        run_dir_(run_dir),
        store_(std::move(store)),
        fields_(recipe.fields()),
        order_(store_.ranges, recipe.sequence, recipe.seed),
        parameters_(std::make_shared<BaseParameters>(recipe.model)),
        model_(model::Model::assemble(recipe.model, parameters_->weights(), store_.tokenizer,
                                      std::string(chatml_template()), parameters_)),
        gradients_(parameters_->gradients()),
        tape_(*model_, tensor::default_ops()),
        optimizer_(tensor::default_ops(), parameters_->parameters(),
                   {recipe.beta1, recipe.beta2, 1e-8, recipe.weight_decay, recipe.clip,
                    recipe.optimizer}) {}

  // Begins, or goes on from the folder's checkpoint.
  Status start() {
    if (order_.epoch_windows() == 0)
      return invalid("no source has the {} tokens of one window", recipe_->sequence + 1);
    parameters_->initialise(recipe_->seed);
    const auto arenas = this->arenas();
    PLINTH_TRY(auto state, load_checkpoint(run_dir_, {&fields_, kMayDiffer}, arenas));
    // Where a run that diverges before its first checkpoint goes back to.
    if (!state) return recipe_->divergences_max > 0 ? save() : Status();
    restore(*std::move(state));
    skipped_ = SkippedData::from_json(state_.extra);
    log_info("{}: going on after step {}", run_dir_.string(), state_.step);
    return {};
  }

  Status save() override {
    state_.recipe = fields_;
    state_.extra = {{"updates", optimizer_.steps()}, {"skipped", skipped_.to_json()}};
    return save_checkpoint(run_dir_, state_, arenas());
  }

  Result<StepReport> step() override {
    const Stopwatch watch;
    StepReport report;
    report.step = state_.step + 1;
    report.steps = recipe_->steps;
    report.learning_rate = learning_rate(schedule(), report.step);
    const int64_t windows = recipe_->batch_tokens / recipe_->sequence;
    const int64_t windows_at_once = recipe_->micro_tokens / recipe_->sequence;
    const auto weight = 1.0f / static_cast<float>(recipe_->batch_tokens);
    tried_cursor_ = next_cursor_ = state_.cursor;
    for (int64_t done = 0; done < windows;) {
      MicroBatch batch;
      for (int64_t i = 0; i < windows_at_once && done < windows; ++i, ++done) {
        next_cursor_ = skipped_.behind(next_cursor_);
        append_window(store_.tokens(), order_.start(next_cursor_++), recipe_->sequence, weight,
                      batch);
      }
      report.loss += tape_.forward_backward(batch, {.base = &gradients_, .adapter = nullptr});
    }
    if (!std::isfinite(report.loss) && recipe_->divergences_max > 0) {
      std::ranges::fill(parameters_->parameters().gradients(), 0.0f);
      return report;  // nothing has changed; the loop goes back
    }
    if (!std::isfinite(report.loss))
      return internal_error("step {}: the loss is {}; lower train.lr ({})", report.step,
                            report.loss, recipe_->lr);
    report.gradient_norm = optimizer_.step(parameters_->parameters(), report.learning_rate);
    if (!std::isfinite(report.gradient_norm))
      log_warn("step {}: the gradient norm is {}, the update is left out", report.step,
               report.gradient_norm);
    ++state_.step;
    state_.cursor = next_cursor_;
    state_.tokens += recipe_->batch_tokens;
    report.tokens = state_.tokens;
    report.seconds = watch.seconds();
    report.tokens_per_s = static_cast<double>(recipe_->batch_tokens) / report.seconds;
    report.peak_bytes = peak_resident_bytes();
    return report;
  }

  // Sum of nats over the held-out tokens. Windows overlap by one token, so that each but the very
  // first is predicted once.
  double heldout_nats() {
    const auto tokens = store_.heldout();
    const auto predicted = static_cast<int64_t>(tokens.size()) - 1;
    double nats = 0;
    for (int64_t first = 0; first < predicted;) {
      MicroBatch batch;
      while (first < predicted && batch.rows() + recipe_->sequence <= recipe_->micro_tokens) {
        const int64_t n = std::min(recipe_->sequence, predicted - first);
        append_window(tokens, first, n, 1.0f, batch);
        first += n;
      }
      nats += tape_.loss(batch, nullptr);
    }
    return nats;
  }

  Result<double> heldout() override {
    return heldout_nats() / static_cast<double>(heldout_tokens());
  }

  int64_t steps_done() const override { return state_.step; }

  Result<int64_t> go_back(const std::string& reason) override {
    skipped_.add({tried_cursor_, next_cursor_, reason});
    PLINTH_TRY(auto state, load_checkpoint(run_dir_, {&fields_, kMayDiffer}, arenas()));
    if (!state) return internal_error("{}: no checkpoint to go back to", run_dir_.string());
    restore(*std::move(state));
    return skipped_.times();
  }

  int64_t times_back() const override { return skipped_.times(); }

  Json about() const override {
    return {{"Recipe", fields_}, {"Steps undone", skipped_.reasons()}};
  }

  int64_t heldout_tokens() const { return static_cast<int64_t>(store_.heldout().size()) - 1; }

  double bits_per_char(double nats) const {
    return nats / std::numbers::ln2 / static_cast<double>(store_.heldout_chars);
  }

  const CheckpointState& state() const { return state_; }

  const SkippedData& skipped() const { return skipped_; }

  const model::Model& model() const { return *model_; }

  const TokenStore& store() const { return store_; }

  const std::map<std::string, std::string>& fields() const { return fields_; }

 private:
  void restore(CheckpointState state) {
    state_ = std::move(state);
    optimizer_.set_steps(int_or(state_.extra, "updates", state_.step));
  }

  std::array<Arena, 3> arenas() {
    return {Arena{"weights", parameters_->parameters().values()},
            Arena{"adam_m", optimizer_.first_moments()},
            Arena{"adam_v", optimizer_.second_moments()}};
  }

  Schedule schedule() const {
    return {recipe_->schedule, recipe_->lr, recipe_->warmup_steps, recipe_->steps,
            recipe_->decay_fraction};
  }

  const PretrainRecipe* recipe_;  // outlives the run: pretrain()'s argument
  Path run_dir_;
  TokenStore store_;
  std::map<std::string, std::string> fields_;
  WindowOrder order_;
  std::shared_ptr<BaseParameters> parameters_;  // shared with the model, which views into it
  std::shared_ptr<const model::Model> model_;
  ModelGradients gradients_;
  Tape tape_;
  Optimizer optimizer_;
  int64_t tried_cursor_ = 0;  // at which the last step began
  int64_t next_cursor_ = 0;   // behind its windows
  SkippedData skipped_;
  CheckpointState state_;
};

Status write_results(Pretraining& run, const PretrainRecipe& recipe, const Path& run_dir,
                     const PretrainOptions& options, const PretrainSummary& summary) {
  const std::string recipe_sha256 = recipe_digest(run.fields());
  const Json metadata = {{"plinth.recipe_sha256", recipe_sha256},
                         {"plinth.data_digest", run.store().digest},
                         {"plinth.tokens", fmt::format("{}", summary.tokens)},
                         {"plinth.seed", fmt::format("{}", recipe.seed)},
                         {"plinth.heldout_bpc", fmt::format("{:.4f}", summary.heldout_bpc)}};
  PLINTH_TRY(model::write_gguf(summary.base, run.model(), options.type, metadata));
  return write_lineage(run_dir, run.fields(),
                       {{"kind", "pretrain"},
                        {"data_digest", run.store().digest},
                        {"seed", recipe.seed},
                        {"steps", summary.steps},
                        {"tokens", summary.tokens},
                        {"loss", summary.loss},
                        {"heldout_nats_per_token", summary.heldout_nats},
                        {"heldout_bits_per_char", summary.heldout_bpc},
                        {"steps_undone", run.skipped().reasons()}});
}

}  // namespace

std::string_view chatml_template() {
  return "{%- for message in messages -%}\n"
         "{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' -}}\n"
         "{%- endfor -%}\n"
         "{%- if add_generation_prompt -%}\n"
         "{{- '<|im_start|>assistant\\n' -}}\n"
         "{%- endif -%}\n";
}

Result<PretrainSummary> pretrain(const PretrainRecipe& recipe, const Path& run_dir,
                                 const PretrainOptions& options, const TrainHooks& hooks) {
  PLINTH_TRY(recipe.check());
  PLINTH_TRY(make_directories(run_dir));
  PLINTH_TRY(const auto lock, FileLock::take(run_dir / "lock"));
  PLINTH_TRY(auto store, prepare_tokens(recipe, run_dir));
  Pretraining run(recipe, run_dir, std::move(store));
  PLINTH_TRY(run.start());
  const LoopOptions loop{run_dir, recipe.steps, recipe.checkpoint_every, recipe.eval_every,
                         recipe.divergences_max};
  PLINTH_TRY(const auto done, run_loop(run, loop, hooks));

  PretrainSummary summary;
  summary.base = run_dir / "base.gguf";
  summary.loss = done.loss;
  summary.tokens_per_s = done.tokens_per_s;
  summary.steps = run.state().step;
  summary.tokens = run.state().tokens;
  const double nats = run.heldout_nats();
  summary.heldout_nats = nats / static_cast<double>(run.heldout_tokens());
  summary.heldout_bpc = run.bits_per_char(nats);
  PLINTH_TRY(write_results(run, recipe, run_dir, options, summary));
  return summary;
}

}  // namespace plinth::train
