// Counts distinct pieces of text within a bounded memory, for the BPE trainer.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "text/pre_tokenizer.h"

namespace plinth::text {

struct CountedPiece {
  std::string_view text;  // lies in the caller's texts
  int64_t count = 0;
};

// Pieces of all texts in order of first appearance, at most `pieces_max` of them: the most frequent
// ones, the earlier of equals. Whenever twice as many have gathered, the rarer half is forgotten
// with its counts, so the counts of rare pieces are lower bounds on very large inputs.
// Pieces longer than 96 bytes are cut at a character: a run of Chinese letters has no natural end.
std::vector<CountedPiece> count_pieces(std::span<const std::string_view> texts, PreTokenizer pre,
                                       int64_t pieces_max);

}  // namespace plinth::text
