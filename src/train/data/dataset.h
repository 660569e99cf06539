// Training rows to samples: tokens, and which of them the model shall learn to say.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"
#include "core/result.h"
#include "text/tokenizer.h"
#include "train/train.h"

namespace plinth::train {

struct Sample {
  std::vector<int32_t> tokens;  // 2 or more
  std::vector<bool> learned;    // [tokens] loss on predicting this one; the first never is
  bool replay = false;          // general, not of the domain
  uint64_t row_hash = 0;        // of the row's text: what the held-out split goes by
  int64_t number = 0;           // among the run's training samples
  uint64_t content_hash = 0;    // of tokens and mask; of a pair, of both
  int32_t file = 0;             // of the dataset's files
  int64_t line = 0;             // from 1; 0: plain text, no line of its own

  int64_t loss_tokens() const;
};

struct Dataset {
  std::vector<Path> files;      // what the paths meant (data_files.h)
  std::vector<Sample> samples;  // in the order of files and lines
  DatasetReport report;
};

struct DatasetOptions {
  const text::Tokenizer* tokenizer = nullptr;  // outlives the call
  const ChatRenderer* chat = nullptr;          // likewise; empty: conversations are bad rows
  int64_t sequence = 512;
  double bad_rows_max = 0.01;                           // share of the rows
  std::function<bool(std::string_view)> in_suite = {};  // TuneHooks::in_suite
};

// Rows of all paths (data_files.h). Rows that cannot be used are counted and named; too many of
// them, or no usable row at all, is kInvalidArgument. What else is wrong is in the report, for
// check_limits() to judge.
Result<Dataset> read_dataset(std::span<const Path> paths, const DatasetOptions& options);

// "rows.jsonl:12", or the file alone.
std::string place_of(const Sample& sample, std::span<const Path> files);

// The samples of one conversation: usually one. A template that rewrites earlier turns when a later
// one comes (Qwen3 drops their thoughts) gives one sample per rewritten stretch.
// kFailedPrecondition: the template cannot write it, or writes it otherwise than serving will ask
// for it, so that what is learnt would never be said.
Result<std::vector<Sample>> conversation_samples(const Conversation& conversation,
                                                 const DatasetOptions& options);

// The samples of a plain text: as many as train.sequence asks for, the last one ended by eos.
std::vector<Sample> text_samples(std::string_view text, const DatasetOptions& options);

}  // namespace plinth::train
