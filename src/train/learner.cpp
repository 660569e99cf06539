#include "train/learner.h"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "core/check.h"
#include "train/math/base_parameters.h"
#include "train/math/lora.h"

namespace plinth::train {
namespace {

LoraOptions lora_options(const TuneRecipe& recipe) {
  LoraOptions options;
  options.rank = recipe.rank;
  options.alpha = recipe.alpha;
  options.scaling = recipe.scaling;
  options.b_rate = recipe.lr_ratio_b;
  const auto wanted = [&](std::string_view target) {
    return std::ranges::find(recipe.targets, target) != recipe.targets.end();
  };
  for (int i = 0; i < model::kLinears; ++i)
    options.targets[static_cast<size_t>(i)] =
        wanted(model::linear_name(static_cast<model::Linear>(i)));
  options.embedding = wanted(model::kEmbeddingTarget);
  options.head = wanted(model::kHeadTarget);
  return options;
}

class LoraLearner : public Learner {
 public:
  LoraLearner(std::shared_ptr<const model::Model> base, const LoraOptions& options, uint64_t seed)
      : base_(std::move(base)), lora_(tensor::default_ops(), base_->config(), options) {
    lora_.initialise(seed);
  }

  Parameters& parameters() override { return lora_.parameters(); }

  const model::Model& model() const override { return *base_; }

  Trainable trainable() override { return {.base = nullptr, .adapter = &lora_}; }

  void set_strength(double strength) override {
    strength_ = strength;
    lora_.set_strength(strength);
  }

  double strength() const override { return strength_; }

  Status write(const Path& run_dir, const model::Lineage& lineage, TuneSummary& summary) override {
    summary.adapter = run_dir / "adapter";
    PLINTH_TRY(model::write_peft(summary.adapter, lora_.view(), base_->config(), lineage));
    return model::write_gguf_adapter(run_dir / "adapter.gguf", lora_.view(), base_->config(),
                                     lineage);
  }

 private:
  std::shared_ptr<const model::Model> base_;  // shared with whoever serves it meanwhile
  Lora lora_;
  double strength_ = 1;
};

class FullLearner : public Learner {
 public:
  explicit FullLearner(const std::shared_ptr<const model::Model>& base)
      : parameters_(std::make_shared<BaseParameters>(base->config())),
        gradients_(parameters_->gradients()) {
    parameters_->copy_from(*base);
    model_ =
        model::Model::assemble(base->config(), parameters_->weights(),
                               std::shared_ptr<const text::Tokenizer>(base, &base->tokenizer()),
                               base->chat_template(), parameters_);
    const auto stored = base->weights().layers.front().linear.front().type;
    type_ = tensor::is_quantised(stored) ? tensor::DType::kF16 : stored;
  }

  Parameters& parameters() override { return parameters_->parameters(); }

  const model::Model& model() const override { return *model_; }

  Trainable trainable() override { return {.base = &gradients_, .adapter = nullptr}; }

  void set_strength(double strength) override {
    PLINTH_CHECK(strength == 1, "a trained base at strength {}", strength);
  }

  Status write(const Path& run_dir, const model::Lineage& lineage, TuneSummary& summary) override {
    summary.model = run_dir / "model.gguf";
    Json metadata = Json::object();
    for (const auto& [key, value] : lineage) metadata[key] = value;
    return model::write_gguf(summary.model, *model_, type_, metadata);
  }

 private:
  std::shared_ptr<BaseParameters> parameters_;  // shared with the model, which views into it
  ModelGradients gradients_;
  std::shared_ptr<const model::Model> model_;
  tensor::DType type_;  // of the matrices that are written
};

}  // namespace

Result<std::unique_ptr<Learner>> make_learner(std::shared_ptr<const model::Model> base,
                                              const TuneRecipe& recipe) {
  if (recipe.method == TuneMethod::kFull)
    return std::unique_ptr<Learner>(std::make_unique<FullLearner>(base));
  const LoraOptions options = lora_options(recipe);
  PLINTH_TRY(check_targets(base->config(), options));
  return std::unique_ptr<Learner>(
      std::make_unique<LoraLearner>(std::move(base), options, recipe.seed));
}

}  // namespace plinth::train
