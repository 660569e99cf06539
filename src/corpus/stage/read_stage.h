// The first stage: every input file read, cleaned and judged, into pieces.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "corpus/process.h"
#include "corpus/stage/piece_store.h"

namespace plinth::corpus {

// The files [begin, end) of a run: what one machine does at a time.
struct Unit {
  size_t begin = 0;
  size_t end = 0;
};

// Depends on the files alone. At most 64 files and 16 MiB, or one larger file.
std::vector<Unit> units_of(std::span<const InputFile> files);

// A place where a run can be stopped in tests: an error ends it as a crash there would.
using StepHook = std::function<Status(std::string_view step)>;

struct ReadWork {
  std::span<const InputFile> files;
  std::span<const Unit> units;
  size_t first = 0;  // does units first, first + stride, ...
  size_t stride = 1;
  uint64_t unpack_max = UINT64_MAX;  // bytes of leaves of one file: a sample takes its beginning
};

// Makes the pieces that the store does not have yet. Stops with an interruption or with what the
// disk says; what was made until then stays. In memory at one time: some 64 MiB of inputs, or one
// larger document, and what comes of them (of rows: of 1,024 a file); what is taken in several
// parts, see PartWriter, is mapped, and its map given back.
Status read_inputs(const ReadWork& work, const Rules& rules, PieceStore& store,
                   const RefineProgress& progress, const StepHook& step);

}  // namespace plinth::corpus
