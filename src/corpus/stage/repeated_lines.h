// Between duplicates and writing: lines that recur over the documents of a source are cut out of
// them. See clean/boilerplate.h for which.
#pragma once

#include <span>
#include <vector>

#include "corpus/stage/duplicates.h"

namespace plinth::corpus {

struct RepeatedLineOptions {
  double share = 0.2;  // of a source's documents; 1: nothing is cut
  uint64_t memory_bytes = 0;
};

// The pieces as they are after the cut: a piece that loses nothing is the same file, another one is
// written anew into `folder`, where an earlier start may have left some. Lines are counted over the
// documents that stand alone in `documents`: neither copies of one text nor forms that differ in
// their values make its lines boilerplate. A document that keeps fewer characters than its
// profile's chars_min goes (stage "boilerplate").
Result<std::vector<Path>> cut_repeated_lines(std::span<const Path> pieces,
                                             const Documents& documents, const Path& folder,
                                             const RepeatedLineOptions& options,
                                             const RefineProgress& progress = {});

}  // namespace plinth::corpus
