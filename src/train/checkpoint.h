// A checkpoint: everything a run needs to go on as if nothing had happened.
//
// File, little endian:
//   8 bytes   "PLNCKPT1"
//   8 bytes   n, length of the header
//   n bytes   header, JSON: {"step", "cursor", "tokens", "extra", "recipe": {key: text},
//             "arenas": [{"name", "floats"}]}
//   then      the arenas' floats in that order
//   64 bytes  sha-256 of everything before, in hexadecimal
//
// There is no generator state: the order of the data is a function of (seed, cursor).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/json.h"
#include "core/result.h"

namespace plinth::train {

struct CheckpointState {
  int64_t step = 0;    // updates done
  int64_t cursor = 0;  // windows or samples consumed
  int64_t tokens = 0;  // tokens read
  Json extra;          // what only one kind of run has (best held-out loss, ...)
  std::map<std::string, std::string> recipe;
};

struct Arena {
  std::string name;
  std::span<float> floats;
};

// Writes RUN/checkpoint-STEP.bin (temporary file, fsync, rename, fsync of the folder) and removes
// all but the last two.
Status save_checkpoint(const Path& run_dir, const CheckpointState& state,
                       std::span<const Arena> arenas);

// What a checkpoint must agree with before anything of it is used.
struct RecipeIdentity {
  const std::map<std::string, std::string>* fields = nullptr;
  std::span<const std::string_view> may_differ;  // keys that an extended run may change
};

// Is there any, whole or not?
bool has_checkpoint(const Path& run_dir);

// Loads the newest checkpoint that is whole into `arenas`, whose names and sizes must fit; nothing
// when the folder has none. A damaged file is reported in the log and the one before is taken;
// kDataLoss when none is whole. One of another recipe is kFailedPrecondition, as below.
Result<std::optional<CheckpointState>> load_checkpoint(const Path& run_dir,
                                                       const RecipeIdentity& identity,
                                                       std::span<const Arena> arenas);

// kFailedPrecondition naming `file` and the first key whose value is not the recipe's.
Status check_same_recipe(const std::map<std::string, std::string>& was,
                         const RecipeIdentity& identity, const Path& file);

}  // namespace plinth::train
