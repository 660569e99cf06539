// Bases that come from a hub and live in the home: fetched by `model import`, removed by `model
// rm`.
#pragma once

#include <optional>
#include <string>

#include "cli/command.h"
#include "core/file.h"
#include "core/result.h"
#include "hub/hub.h"

namespace plinth::cli {

// What `model import` says about a hub beside the reference.
struct HubOptions {
  std::string address;   // --hub; empty: as the environment says
  std::string revision;  // --revision; empty: the reference's, else the hub's main branch
  std::string file;      // --file; empty: the reference's, else what the repository offers
};

// Fetches what `reference` names into the home, with progress. The path is what Model::open takes.
Result<Path> pull_base(const std::string& reference, const HubOptions& options,
                       const Context& context);

// Where a base was pulled from, by its name or path; nothing for one that came another way.
std::optional<hub::Origin> origin_of(const std::string& name, const Context& context);

// Forgets a base. Its files go with it when they are the home's (pulled from a hub, or made here)
// and no other name stands on them; an imported path stays as it is. kFailedPrecondition while a
// domain model stands on it.
Status remove_base(const std::string& name, const Context& context);

}  // namespace plinth::cli
