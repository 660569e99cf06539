// Before a run over several processes begins: do all of them mean the same run?
#pragma once

#include <map>
#include <string>

#include "core/result.h"
#include "train/peers.h"

namespace plinth::train {

// What must be the same everywhere, by name.
using Facts = std::map<std::string, std::string>;

// Every rank calls it with its own facts, or with why it has none. The same answer on all: fine, or
// kFailedPrecondition naming the rank and the fact that differs from rank 0's, or the rank's error.
Status shake_hands(Peers& peers, const Result<Facts>& own);

}  // namespace plinth::train
