// One item's result as a line of JSON: in items.jsonl, which people and scripts read, and in the
// journal of a suite that may be interrupted.
#pragma once

#include <optional>

#include "core/json.h"
#include "eval/eval.h"

namespace plinth::eval {

Json to_json(const ItemResult& item);

// What to_json() wrote, to the bit; none: it is not that, or has a number that JSON can't hold.
std::optional<ItemResult> item_of(const Json& row);

}  // namespace plinth::eval
