// The recipe as text that names every threshold: part of the manifest, so that a corpus says how it
// was made.
#pragma once

#include "core/json.h"
#include "corpus/corpus.h"

namespace plinth::corpus {

Json to_json(const RefineRecipe& recipe);

}  // namespace plinth::corpus
