// What a tuning job is asked to do: from a request of /v1/fine_tuning/jobs to a spec (JSON, kept
// with the job) to the trainer's recipe.
#pragma once

#include <string>
#include <string_view>

#include "core/json.h"
#include "core/result.h"
#include "model/model.h"
#include "train/train.h"

namespace plinth::server {

// {"model", "training_file", "validation_file", "suffix", "seed", "method", "metadata",
// "hyperparameters": {"n_epochs", "batch_size", "learning_rate_multiplier", "rank", "sequence"}},
// every number there; with method "dpo" also "beta".
// On an error `param` is the field at fault. Whether file and model exist is the caller's to look
// up.
Result<Json> parse_tune_request(std::string_view body, const model::ModelConfig& base,
                                std::string& param);

// Without files.
Result<train::TuneRecipe> tune_recipe(const Json& spec, const model::ModelConfig& base);

// "ft:BASE:SUFFIX:JOB"; names that begin with "ft:" belong to one tenant each.
inline constexpr std::string_view kTunedPrefix = "ft:";
// Where a file is named, a corpus that a job of the tenant's refined may be named as well.
inline constexpr std::string_view kCorpusPrefix = "corpus-";
std::string model_name(const Json& spec, const model::ModelConfig& base, const std::string& job);

}  // namespace plinth::server
