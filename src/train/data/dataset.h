// Training rows to samples: tokens, and which of them the model shall learn to say.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/file.h"
#include "core/json.h"
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

  int64_t loss_tokens() const;
};

struct Dataset {
  std::vector<Sample> samples;  // in the order of files and lines
  DatasetReport report;
};

struct DatasetOptions {
  const text::Tokenizer* tokenizer = nullptr;  // outlives the call
  const ChatRenderer* chat = nullptr;          // likewise; empty: conversations are bad rows
  int64_t sequence = 512;
};

// Rows of all files. Rows that cannot be used are counted and named; more than 1 % of them, or no
// usable row at all, is kInvalidArgument.
Result<Dataset> read_dataset(std::span<const Path> files, const DatasetOptions& options);

// The samples of one conversation: usually one. A template that rewrites earlier turns when a later
// one comes (Qwen3 drops their thoughts) gives one sample per rewritten stretch.
Result<std::vector<Sample>> conversation_samples(const Json& messages,
                                                 const DatasetOptions& options);

// The samples of a plain text: as many as train.sequence asks for, the last one ended by eos.
std::vector<Sample> text_samples(std::string_view text, const DatasetOptions& options);

}  // namespace plinth::train
