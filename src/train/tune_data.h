// The rows of a tuning run: read, split into what is learnt and what is held out, counted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "model/model.h"
#include "train/data/dataset.h"
#include "train/data/sample_order.h"
#include "train/train.h"

namespace plinth::train {

struct TuneData {
  std::vector<Sample> training;  // domain samples, then replay samples
  std::vector<Sample> heldout;
  std::vector<Sample> general;  // replay samples that are not trained on
  int64_t domain = 0;           // items of `training`
  int64_t per_item = 1;         // samples that belong together: 2 when the rows are pairs
  DatasetReport report, replay_report;
  std::string digest;  // sha-256 over the files' sha-256
};

// Of the content of all of a recipe's files, in order: TuneData::digest.
Result<std::string> data_digest(const TuneRecipe& recipe);

// Reads the files of a recipe and logs what became of their rows. kInvalidArgument: more is wrong
// with them than recipe.limits allow.
Result<TuneData> read_data(const model::Model& base, const TuneRecipe& recipe,
                           const TuneHooks& hooks);

// Do two recipes make the same of their files, so that they can share it?
bool read_the_same(const TuneRecipe& a, const TuneRecipe& b);

// So many replay samples per epoch that their expected tokens are the recipe's share.
OrderShape order_shape(const TuneData& data, const TuneRecipe& recipe);

}  // namespace plinth::train
