// A small run to train in tests: eighty conversations over the golden base.
#pragma once

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "core/rng.h"
#include "train/chat_for_tests.h"
#include "train/run_files.h"
#include "train/train.h"

namespace plinth::train {

// Ten steps of a few rows.
inline TuneRecipe small_recipe(const Path& rows) {
  TuneRecipe recipe;
  recipe.files = {rows};
  recipe.rank = 4;
  recipe.alpha = 8;
  recipe.sequence = 96;
  recipe.batch_tokens = 256;
  recipe.micro_tokens = 128;
  recipe.steps = 10;
  recipe.lr = 1e-2;
  recipe.checkpoint_every = 3;
  recipe.eval_every = 4;
  return recipe;
}

class Tune : public testing::Test {
 protected:
  void SetUp() override {
    auto base = model::Model::open(Path(PLINTH_SOURCE_DIR) / "tests/golden/train/base");
    ASSERT_TRUE(base) << base.error().message;
    base_ = *base;
    Rng rng(2);
    std::string rows;
    for (int i = 0; i < 80; ++i) {
      const auto a = static_cast<int>(rng.below(10));
      rows += fmt::format(
          R"({{"messages": [{{"role": "user", "content": "{}+1?"}}, {{"role": "assistant", "content": "it is {} #{}"}}]}})"
          "\n",
          a, a + 1, i);
    }
    write_text(folder_ / "rows.jsonl", rows);
    write_text(folder_ / "general.jsonl",
               "{\"text\": \"general words\"}\n{\"text\": \"more general words\"}\n");
    recipe_ = small_recipe(folder_ / "rows.jsonl");
    hooks_.chat = chatml(base_->tokenizer());
  }

  Result<TuneSummary> run(const Path& name) { return tune(base_, recipe_, folder_ / name, hooks_); }

  TempDirectory temp_ = *TempDirectory::create();
  Path folder_ = temp_.path();
  std::shared_ptr<const model::Model> base_;
  TuneRecipe recipe_;
  TuneHooks hooks_;
};

}  // namespace plinth::train
