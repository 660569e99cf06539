#include "server/tune_spec.h"

#include <algorithm>
#include <utility>

#include "core/hash.h"
#include "server/request_fields.h"

namespace plinth::server {
namespace {

constexpr size_t kSuffixMax = 64;
constexpr int64_t kSequence = 512;  // tokens of a sample
constexpr int64_t kBatch = 8;       // samples of a step, of that length
constexpr double kEpochs = 3;
constexpr int64_t kRank = 16;
constexpr double kBeta = 0.1;      // of preferences
constexpr double kDpoRate = 5e-5;  // preferences want a tenth of the usual learning rate
constexpr std::string_view kDpo = "dpo";

bool is_suffix(std::string_view text) {
  const auto fine = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return text.size() <= kSuffixMax && std::ranges::all_of(text, fine);
}

// "auto" is as good as nothing.
Result<double> number_or_auto(const Fields& fields, const char* name, double fallback, double low,
                              double high) {
  const Json* value = fields.find(name);
  if (value != nullptr && *value == "auto") return fallback;
  return fields.number(name, fallback, low, high);
}

Result<int64_t> integer_or_auto(const Fields& fields, const char* name, int64_t fallback,
                                double high) {
  const Json* value = fields.find(name);
  if (value != nullptr && *value == "auto") return fallback;
  return fields.integer(name, fallback, 1, high);
}

Result<Json> parse_hyperparameters(const Json& object, const std::string& place,
                                   const model::ModelConfig& base, std::string_view method,
                                   std::string& param) {
  const Fields fields(object, param, place);
  Json numbers;
  PLINTH_TRY(numbers["n_epochs"], number_or_auto(fields, "n_epochs", kEpochs, 0.01, 1000));
  PLINTH_TRY(numbers["batch_size"], integer_or_auto(fields, "batch_size", kBatch, 1024));
  PLINTH_TRY(numbers["learning_rate_multiplier"],
             number_or_auto(fields, "learning_rate_multiplier", 1, 1e-4, 100));
  if (method == kDpo) {
    PLINTH_TRY(numbers["beta"], number_or_auto(fields, "beta", kBeta, 1e-3, 100));
  }
  // Not OpenAI's.
  PLINTH_TRY(numbers["rank"], integer_or_auto(fields, "rank", kRank, 256));
  PLINTH_TRY(numbers["sequence"],
             integer_or_auto(fields, "sequence", std::min(kSequence, base.context),
                             static_cast<double>(base.context)));
  PLINTH_TRY(fields.nothing_else());
  return numbers;
}

struct Method {
  std::string type = "supervised";
  Json hyperparameters = {};
};

// Hyperparameters are found in "method", in older clients at the top.
Result<Method> parse_method(const Fields& fields, const model::ModelConfig& base,
                            std::string& param) {
  Method made;
  const Json* old = fields.find("hyperparameters");
  if (old != nullptr && !old->is_object()) return invalid("hyperparameters: an object is needed");
  const Json* method = fields.find("method");
  const auto from_the_top = [&]() -> Result<Method> {
    PLINTH_TRY(made.hyperparameters,
               parse_hyperparameters(old != nullptr ? *old : Json::object(), "hyperparameters.",
                                     base, made.type, param));
    return made;
  };
  if (method == nullptr) return from_the_top();
  if (!method->is_object()) return invalid("method: an object is needed");
  const Fields nested(*method, param, "method.");
  PLINTH_TRY(made.type, nested.text("type"));
  if (made.type != "supervised" && made.type != kDpo)
    return invalid("method.type: {} is not supported, only supervised and {}", made.type, kDpo);
  const Json* own = nested.find(made.type);
  PLINTH_TRY(nested.nothing_else());
  if (own == nullptr) return from_the_top();
  const std::string place = "method." + made.type;
  param = place;
  if (!own->is_object()) return invalid("{}: an object is needed", place);
  PLINTH_TRY(only_fields(*own, {"hyperparameters"}, place, param));
  const auto found = own->find("hyperparameters");
  const bool given = found != own->end() && !found->is_null();
  if (given && !found->is_object())
    return invalid("{}.hyperparameters: an object is needed", place);
  PLINTH_TRY(made.hyperparameters,
             parse_hyperparameters(given ? *found : Json::object(), place + ".hyperparameters.",
                                   base, made.type, param));
  return made;
}

}  // namespace

Result<Json> parse_tune_request(std::string_view body, const model::ModelConfig& base,
                                std::string& param) {
  PLINTH_TRY(const Json json, parse_object(body, param));
  const Fields fields(json, param);
  Json spec = Json::object();
  PLINTH_TRY(spec["model"], fields.text("model"));
  PLINTH_TRY(spec["training_file"], fields.text("training_file"));
  PLINTH_TRY(spec["validation_file"], fields.text_or("validation_file", ""));
  PLINTH_TRY(auto method, parse_method(fields, base, param));
  spec["method"] = std::move(method.type);
  spec["hyperparameters"] = std::move(method.hyperparameters);
  PLINTH_TRY(const std::string suffix, fields.text_or("suffix", ""));
  if (!is_suffix(suffix))
    return invalid("suffix: at most {} letters, digits, -, _ and . are needed", kSuffixMax);
  spec["suffix"] = suffix;
  PLINTH_TRY(spec["seed"], fields.integer("seed", 1, 0, kNumberMax));
  PLINTH_TRY(check_metadata(fields));
  const Json* metadata = fields.find("metadata");
  spec["metadata"] = metadata != nullptr ? *metadata : Json::object();
  if (const Json* list = fields.find("integrations"); list != nullptr && !list->empty())
    return invalid("integrations are not supported");
  PLINTH_TRY(fields.nothing_else());
  param.clear();
  return spec;
}

Result<train::TuneRecipe> tune_recipe(const Json& spec, const model::ModelConfig& base) {
  const Json numbers = spec.value("hyperparameters", Json::object());
  train::TuneRecipe recipe;
  recipe.sequence = std::min(int_or(numbers, "sequence", kSequence), base.context);
  const bool pairs = string_or(spec, "method", "") == kDpo;
  if (pairs) {
    recipe.method = train::TuneMethod::kDpo;
    recipe.lr = kDpoRate;
    recipe.dpo_beta = number_or(numbers, "beta", kBeta);
  }
  // Micro-batches as small as they can be: between them a job looks whether it is still wanted.
  recipe.micro_tokens = (pairs ? 2 : 1) * recipe.sequence;
  recipe.batch_tokens = recipe.micro_tokens * int_or(numbers, "batch_size", kBatch);
  recipe.epochs = number_or(numbers, "n_epochs", kEpochs);
  recipe.lr *= number_or(numbers, "learning_rate_multiplier", 1);
  recipe.rank = int_or(numbers, "rank", kRank);
  recipe.alpha = 2.0 * static_cast<double>(recipe.rank);
  recipe.seed = static_cast<uint64_t>(int_or(spec, "seed", 1));
  recipe.checkpoint_every = 20;
  recipe.eval_every = 20;
  return recipe;
}

std::string model_name(const Json& spec, const model::ModelConfig& base, const std::string& job) {
  const std::string suffix = string_or(spec, "suffix", "");
  return fmt::format("{}{}:{}:{}", kTunedPrefix, base.name.empty() ? "base" : base.name, suffix,
                     job.substr(job.find('-') + 1));
}

}  // namespace plinth::server
