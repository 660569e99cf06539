// Proving: how good is a model on a suite, and is the domain model better than its base?
//
// What a suite is decides what is measured:
//   choice  a question and its answers; each answer's text is scored by log-likelihood after the
//           rendered prompt. Metric `accuracy`: the answer with the highest log-likelihood per
//           character is the right one (`accuracy_raw`: without the division, reported beside it).
//   short   a question and the accepted answers; greedy generation. Metric `exact_match` after
//           normalisation (NFKC, lower case, spaces and punctuation dropped); `contains` (the
//           accepted answer whole: 4 is not in 14) and `f1` (over characters) are reported
//           beside it.
//   exam    choice and short questions together. Metric `correct`: a choice by its accuracy, a
//           short answer by whether it states an accepted one (`contains`): a sentence that gives
//           the right value is a right answer.
//   text    documents; each starts after the tokenizer's bos (or eos, where there is no bos), and
//           every token is scored once, with at least half a window of what precedes it. Metric
//           `bits_per_character`, over Unicode code points: lower is better.
// Everything rides in the engine's ordinary steps. Every item's prediction is kept; every mean
// comes with the 95 % interval of a bootstrap over items. Same suite, model, adapter and options:
// same result.
//
// Thread: call from one thread; the engine may serve others meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"
#include "core/result.h"
#include "engine/engine.h"
#include "eval/bootstrap.h"
#include "eval/suite.h"

namespace plinth::eval {

// Turns a question into the tokens that serving would put before the model (chat template, system
// prompt), so that a model is measured as it will be used.
using PromptMaker = std::function<Result<std::vector<int32_t>>(std::string_view question)>;

struct EvalOptions {
  PromptMaker prompt = {};                // choice and short suites
  int64_t answer_tokens_max = 64;         // of a short answer
  std::vector<std::string> stop = {};     // ends a short answer
  std::vector<int32_t> stop_tokens = {};  // likewise, besides the tokenizer's eos: turn ends
  int64_t window_tokens = 512;            // of a text suite, capped by the context
  int resamples = 1000;                   // of the bootstrap
  uint64_t seed = 1;                      // of the bootstrap
  // Called after each part of the suite with items done and items in all.
  std::function<void(int64_t done, int64_t total)> progress = {};
  // A file that answered items are added to, durably, as they come; what stands in it is not asked
  // again, so that a suite that was interrupted goes on. Empty: none. It belongs to one suite,
  // model, adapter and options: the caller's `journal_key` says which, and one with another key is
  // begun anew.
  Path journal = {};
  std::string journal_key = {};
};

// What became of one item. `score` is the suite's metric for this item: 0 or 1, or, in a text
// suite, the document's bits per character.
struct ItemResult {
  std::string id;
  SuiteKind kind = SuiteKind::kText;
  double score = 0;
  std::string prediction = {};               // the chosen or generated answer
  int64_t chosen = -1;                       // choice: index
  std::vector<double> log_likelihoods = {};  // choice: of each answer, natural logarithm
  double score_raw = 0;                      // choice: by the undivided log-likelihood
  double contains = 0;                       // short
  double f1 = 0;                             // short
  double bits = 0;                           // text: of the scored characters
  int64_t characters = 0;                    // text: scored
};

struct SuiteResult {
  std::string suite = {};
  SuiteKind kind = SuiteKind::kChoice;
  std::string metric = {};
  Interval interval = {};  // of the metric; text: total bits over total characters
  double secondary = 0;    // choice: accuracy_raw; short: contains
  double f1 = 0;           // short
  std::vector<ItemResult> items = {};
};

Result<SuiteResult> run_suite(engine::Engine& engine,
                              const std::shared_ptr<const model::Adapter>& adapter,
                              const Suite& suite, const EvalOptions& options);

// DIR/result.json (suite, metric, mean, lo, hi, items) and DIR/items.jsonl.
Status write_result(const Path& folder, const SuiteResult& result);

// "exact_match  0.412 [0.371, 0.455]  500 items" and what is reported beside it.
std::string describe(const SuiteResult& result);

}  // namespace plinth::eval
