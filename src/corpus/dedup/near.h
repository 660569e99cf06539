// Which documents say the same as another one, almost word for word?
//
// Candidates share a MinHash band; each is verified with exact Jaccard similarity and by its
// numbers: two inspection reports that differ in nothing but their values are two reports. A
// document goes only if it is similar to a document that stays, so that no chain of small edits
// drops a different text.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "corpus/dedup/minhash.h"

namespace plinth::corpus {

struct NearOptions {
  double jaccard = 0.8;
  double value_jaccard = 0.8;
};

struct NearMatch {
  int32_t kept = -1;  // the document that stays in its place; -1: this one stays
  double similarity = 0;
};

// keys        per document, in input order
// preference  the order in which documents are kept: a permutation of 0..n-1, best first
// text        the text of a document; called from several threads
std::vector<NearMatch> near_duplicates(std::span<const BandKeys> keys,
                                       std::span<const int32_t> preference,
                                       const std::function<std::string(int32_t)>& text,
                                       const NearOptions& options);

// Jaccard similarity of the multisets of numbers ("0.35", "2025", "186"); 1 when there are none.
double value_similarity(std::string_view a, std::string_view b);

}  // namespace plinth::corpus
