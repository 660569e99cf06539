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
    recipe_.files = {folder_ / "rows.jsonl"};
    recipe_.rank = 4;
    recipe_.alpha = 8;
    recipe_.sequence = 96;
    recipe_.batch_tokens = 256;
    recipe_.micro_tokens = 128;
    recipe_.steps = 10;
    recipe_.lr = 1e-2;
    recipe_.checkpoint_every = 3;
    recipe_.eval_every = 4;
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
