// What plinth_mpi.so and the program agree on. Both are built from one tree, so that it may speak
// C++; the plugin holds nothing of the program's but this.
#pragma once

#include <memory>

#include "train/peers.h"

namespace plinth::train {

inline constexpr char kMpiPlugin[] = "plinth_mpi.so";
inline constexpr char kMpiEntry[] = "plinth_mpi_join";

// Begins MPI. `interrupted` is the process's own, asked while it waits. Null with `error` filled
// when MPI does not begin.
using MpiJoin = Peers*(bool (*interrupted)(), Error* error);

}  // namespace plinth::train
