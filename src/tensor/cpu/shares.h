// How the panels of products that share their left factor are cut into tasks.
#pragma once

#include <cstdint>
#include <span>

namespace plinth::tensor::cpu {

// Panels of a task, a multiple of `unit`, at least `least`. panels: of each output; a task has some
// of one of them. rounds: how often all of them are done, as for parts of rows. Tasks are several
// for each thread of the compute pool, because one that is interrupted holds up the others by a
// part, but so many that no thread is left waiting: 28 panels over two threads are four tasks of 7,
// not seven of 4.
int64_t panels_of_task(std::span<const int64_t> panels, int64_t unit, int64_t least,
                       int64_t rounds);

}  // namespace plinth::tensor::cpu
