// The processes of one training run, as a launcher (mpirun, srun) started them. Rank 0 leads: it
// alone reads the rows and writes the run folder; the others compute what it hands out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "core/result.h"

namespace plinth::train {

// Messages between two ranks arrive whole and in order. One thread uses it. An error says which
// rank was waited for: kUnavailable when it is away, kCancelled when this process was told to stop
// meanwhile. Destroyed without leave(), it ends the other processes, too, so that none waits for
// ever; so print errors first.
class Peers {
 public:
  virtual ~Peers() = default;

  virtual int64_t rank() const = 0;
  virtual int64_t ranks() const = 0;
  virtual Status send(std::span<const std::byte> bytes, int64_t to) = 0;
  // Exactly so many bytes.
  virtual Status receive(std::span<std::byte> bytes, int64_t from) = 0;
  // All ranks have agreed to part.
  virtual void leave() = 0;
};

// How many processes the launcher says it started, by its environment variables (Open MPI, MPICH
// and others that speak PMI, Slurm's srun); 1 without one.
int64_t launched_processes();

// The peers of this process; null when it was started alone. MPI is loaded here and nowhere else
// (docs/decisions/0028-mpi-as-a-plugin.md), once a process. kUnimplemented: started by a launcher,
// but there is no plinth_mpi.so; kFailedPrecondition: launcher and MPI library don't know each
// other.
Result<std::unique_ptr<Peers>> join_peers();

}  // namespace plinth::train
