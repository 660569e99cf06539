// The tokens of a pretraining run: made once from the recipe's sources, memory-mapped afterwards.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/result.h"
#include "text/tokenizer.h"
#include "train/train.h"

namespace plinth::train {

// Where a source lies in tokens.bin.
struct TokenRange {
  std::string name;
  int64_t first = 0;
  int64_t tokens = 0;
  double weight = 1.0;
};

struct TokenStore {
  std::shared_ptr<const text::Tokenizer> tokenizer;
  std::vector<TokenRange> ranges;
  MappedFile tokens_file, heldout_file;
  int64_t heldout_chars = 0;
  std::string digest;  // xxh3 of tokens.bin, as text: the data's name in lineages

  std::span<const uint16_t> tokens() const { return view(tokens_file); }

  std::span<const uint16_t> heldout() const { return view(heldout_file); }

 private:
  static std::span<const uint16_t> view(const MappedFile& file) {
    return {reinterpret_cast<const uint16_t*>(file.bytes().data()), file.bytes().size() / 2};
  }
};

// Opens what lies in the run's folder (checked against the recipe and its own digests), or reads
// the sources, removes exact duplicates, splits off the held-out documents, trains the tokenizer
// unless RUN/tokenizer.json is there, and writes the files that train.h names. data.json is written
// last: without it nothing is taken as complete.
Result<TokenStore> prepare_tokens(const PretrainRecipe& recipe, const Path& run_dir);

}  // namespace plinth::train
