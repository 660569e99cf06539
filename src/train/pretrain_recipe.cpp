#include <array>

#include <fmt/format.h>

#include "train/recipe_reader.h"
#include "train/train.h"

namespace plinth::train {
namespace {

constexpr int64_t kVocabularyMax = 65536;  // tokens.bin holds uint16

constexpr std::array<Named<SourceKind>, 5> kSourceKinds = {{{"text", SourceKind::kText},
                                                            {"plain", SourceKind::kPlain},
                                                            {"jsonl", SourceKind::kJsonl},
                                                            {"md-tree", SourceKind::kMdTree},
                                                            {"chat", SourceKind::kChat}}};
constexpr std::array<Named<ScheduleKind>, 2> kSchedules = {
    {{"cosine", ScheduleKind::kCosine}, {"wsd", ScheduleKind::kWsd}}};
constexpr std::array<Named<OptimizerKind>, 2> kOptimizers = {
    {{"adamw", OptimizerKind::kAdamW}, {"muon", OptimizerKind::kMuon}}};

Result<Source> read_source(const Config& table, const Path& folder) {
  Source source;
  Reader reader(table);
  std::string path;
  reader.text("path", path);
  reader.text("name", source.name);
  reader.one_of("kind", kSourceKinds, source.kind);
  reader.text("key", source.key);
  reader.number("weight", source.weight, 0.01, 100.0);
  reader.integer("max_chars", source.chars_max, 0, int64_t{1} << 40);
  PLINTH_TRY(reader.finish());
  if (path.empty()) return invalid("data.source: a source has no path");
  source.path = folder / path;
  if (source.name.empty()) source.name = Path(path).filename().string();
  return source;
}

void read_model(Reader& reader, model::ModelConfig& model) {
  model.architecture = "qwen3";
  model.qk_norm = true;
  model.tied = true;
  double rms_eps = double{model.norm_eps};
  double rope_theta = double{model.rope_theta};
  reader.text("model.name", model.name);
  reader.integer("model.layers", model.layers, 1, 512);
  reader.integer("model.width", model.width, 1, 65536);
  reader.integer("model.heads", model.heads, 1, 1024);
  reader.integer("model.kv_heads", model.kv_heads, 1, 1024);
  reader.integer("model.head_dim", model.head_dim, 2, 1024);
  reader.integer("model.ffn", model.ffn, 1, 1 << 20);
  reader.integer("model.context", model.context, 1, 1 << 24);
  reader.number("model.rms_eps", rms_eps, 1e-12, 1e-2);
  reader.number("model.rope_theta", rope_theta, 1.0, 1e9);
  model.norm_eps = static_cast<float>(rms_eps);
  model.rope_theta = static_cast<float>(rope_theta);
}

}  // namespace

Result<PretrainRecipe> PretrainRecipe::read(const Path& path) {
  PLINTH_TRY(const auto config, Config::read(path));
  PretrainRecipe recipe;
  recipe.model.name = "plinth-base";
  Reader reader(config);
  read_model(reader, recipe.model);

  int64_t vocabulary = recipe.vocabulary;
  reader.integer("tokenizer.vocabulary", vocabulary, 257, kVocabularyMax);
  recipe.vocabulary = static_cast<int32_t>(vocabulary);
  recipe.model.vocabulary = vocabulary;
  reader.texts("tokenizer.special", recipe.special);
  reader.integer("tokenizer.sample_chars", recipe.tokenizer_chars, 1000, int64_t{1} << 40);

  PLINTH_TRY(const auto sources, config.tables("data.source"));
  for (const auto& table : sources) {
    PLINTH_TRY(auto source, read_source(table, path.parent_path()));
    recipe.sources.push_back(std::move(source));
  }
  reader.integer("data.heldout_mod", recipe.heldout_mod, 2);
  reader.integer("data.heldout_chars", recipe.heldout_chars, 1);

  reader.integer("train.sequence", recipe.sequence, 2, 1 << 20);
  reader.integer("train.batch_tokens", recipe.batch_tokens, 2);
  reader.integer("train.micro_tokens", recipe.micro_tokens, 2);
  reader.integer("train.steps", recipe.steps, 1);
  reader.one_of("train.optimizer", kOptimizers, recipe.optimizer);
  reader.number("train.lr", recipe.lr, 0.0, 10.0);
  reader.integer("train.warmup_steps", recipe.warmup_steps, 0);
  reader.one_of("train.schedule", kSchedules, recipe.schedule);
  reader.number("train.decay_fraction", recipe.decay_fraction, 0.0, 1.0);
  reader.number("train.weight_decay", recipe.weight_decay, 0.0, 10.0);
  reader.number("train.beta1", recipe.beta1, 0.0, 0.99999);
  reader.number("train.beta2", recipe.beta2, 0.0, 0.99999);
  reader.number("train.clip", recipe.clip, 0.0, 1e9);
  reader.seed("train.seed", recipe.seed);
  reader.integer("train.checkpoint_every", recipe.checkpoint_every, 1);
  reader.integer("train.eval_every", recipe.eval_every, 1);
  reader.integer("train.divergences_max", recipe.divergences_max, 0, 1000);
  PLINTH_TRY(reader.finish());
  PLINTH_TRY(recipe.check());
  return recipe;
}

Status PretrainRecipe::check() const {
  PLINTH_TRY(model.check());
  if (sources.empty()) return invalid("data.source: a recipe needs at least one source");
  if (vocabulary != model.vocabulary || vocabulary > kVocabularyMax)
    return invalid("tokenizer.vocabulary {} must be the model's ({}) and at most {}", vocabulary,
                   model.vocabulary, kVocabularyMax);
  if (heldout_mod < 2 || heldout_chars < 1)
    return invalid("data.heldout_mod {} or heldout_chars {} is too small", heldout_mod,
                   heldout_chars);
  if (sequence < 2 || steps < 1 || checkpoint_every < 1 || eval_every < 1 || warmup_steps < 0)
    return invalid(
        "train.sequence {}, steps {}, checkpoint_every {}, eval_every {}, warmup_steps {}: "
        "one is too small",
        sequence, steps, checkpoint_every, eval_every, warmup_steps);
  if (sequence > model.context)
    return invalid("train.sequence {} is longer than model.context {}", sequence, model.context);
  if (batch_tokens % sequence != 0 || micro_tokens % sequence != 0 || batch_tokens < 1 ||
      micro_tokens < 1)
    return invalid(
        "train.batch_tokens {} and train.micro_tokens {} must be multiples of sequence {}",
        batch_tokens, micro_tokens, sequence);
  if (special.empty()) return invalid("tokenizer.special: the first one separates documents");
  return {};
}

std::map<std::string, std::string> PretrainRecipe::fields() const {
  std::map<std::string, std::string> out;
  const auto put = [&out](std::string_view key, const auto& value) {
    out[std::string(key)] = fmt::format("{}", value);
  };
  put("model.name", model.name);
  put("model.layers", model.layers);
  put("model.width", model.width);
  put("model.heads", model.heads);
  put("model.kv_heads", model.kv_heads);
  put("model.head_dim", model.head_dim);
  put("model.ffn", model.ffn);
  put("model.context", model.context);
  put("model.rms_eps", model.norm_eps);
  put("model.rope_theta", model.rope_theta);
  put("tokenizer.vocabulary", vocabulary);
  put("tokenizer.special", fmt::format("{}", fmt::join(special, " ")));
  put("tokenizer.sample_chars", tokenizer_chars);
  for (size_t i = 0; i < sources.size(); ++i) {
    const auto& source = sources[i];
    put(fmt::format("data.source.{}", i),
        fmt::format("{} {} {} weight {} max_chars {}", source.name,
                    name_of(kSourceKinds, source.kind), source.key, source.weight,
                    source.chars_max));
  }
  put("data.heldout_mod", heldout_mod);
  put("data.heldout_chars", heldout_chars);
  put("train.sequence", sequence);
  put("train.batch_tokens", batch_tokens);
  put("train.micro_tokens", micro_tokens);
  put("train.steps", steps);
  put("train.optimizer", name_of(kOptimizers, optimizer));
  put("train.lr", lr);
  put("train.warmup_steps", warmup_steps);
  put("train.schedule", name_of(kSchedules, schedule));
  put("train.decay_fraction", decay_fraction);
  put("train.weight_decay", weight_decay);
  put("train.beta1", beta1);
  put("train.beta2", beta2);
  put("train.clip", clip);
  put("train.seed", seed);
  put("train.checkpoint_every", checkpoint_every);
  put("train.eval_every", eval_every);
  put("train.divergences_max", divergences_max);
  return out;
}

}  // namespace plinth::train
