// What an adapter was made of, kept in the metadata of both adapter formats: keys that begin with
// "plinth." (plinth.base_sha256, plinth.dataset_sha256, plinth.recipe_sha256, plinth.seed, ...).
// Apart from Adapter, since computing does not need it.
#pragma once

#include <map>
#include <string>

#include "core/file.h"
#include "core/result.h"
#include "model/model.h"

namespace plinth::model {

using Lineage = std::map<std::string, std::string>;

// Of a PEFT folder or a GGUF file; empty for adapters that others made.
Result<Lineage> read_lineage(const Path& adapter);

// As in model.h, with the lineage in the file.
Status write_peft(const Path& folder, const Adapter& adapter, const ModelConfig& base,
                  const Lineage& lineage);
Status write_gguf_adapter(const Path& path, const Adapter& adapter, const ModelConfig& base,
                          const Lineage& lineage);

}  // namespace plinth::model
