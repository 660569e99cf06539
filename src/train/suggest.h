// `plinth tune --base NAME --data FILE` and nothing else: a recipe from the data and the base.
#pragma once

#include <string>

#include "core/result.h"
#include "model/model.h"
#include "train/train.h"

namespace plinth::train {

struct Suggestion {
  TuneRecipe recipe;
  std::string why;  // a sentence with the numbers it stands on
};

// Reads recipe.files once, at the base's full context, and sets
//   train.sequence      the shortest multiple of 32 that cuts no more than one sample in 200
//   train.epochs        such that they hold 1.2 million tokens, 3..6
//   train.batch_tokens  such that the epochs take some 600 steps, 1024..16384 tokens each
//   train.lr            by the base's width: 5e-4 at 896 columns, 1e-4..8e-3
//   train.eval_every    some 20 evaluations, train.checkpoint_every the same
//   train.patience      6 evaluations without a gain
// and, where recipe.replay is given and the method is "lora", so that the general leg holds
//   data.replay_target "base", data.replay_weight 12
//   data.general_rise_max  0.045 bits a character of the replay rows
// and leaves all else of `recipe` as it is.
Result<Suggestion> suggest(const model::Model& base, const TuneRecipe& recipe,
                           const TuneHooks& hooks);

}  // namespace plinth::train
