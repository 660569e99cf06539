// What this machine is and what it reaches: the bounds that `plinth bench` compares with.
#pragma once

#include <cstdint>
#include <string>

#include "core/json.h"

namespace plinth::cli {

struct Machine {
  std::string cpu;
  int cores = 0;     // this process may use
  int threads = 0;   // of the compute pool
  std::string simd;  // what the kernels run
  int64_t memory_bytes = 0;
  int64_t memory_available_bytes = 0;
  // 0: not measured.
  double read_gb_per_s = 0;    // all threads streaming through 512 MiB
  double gflop_per_s = 0;      // float32 matrix product, 1024 x 1024 x 1024
  double fma_gflop_per_s = 0;  // float32 multiply-adds in registers: no product can be faster
  double byte_gop_per_s = 0;   // products of bytes in registers; 0 too with a matrix unit
};

// Without the two figures that are measured.
Machine describe_machine();

// Measures for about a second. Numbers move with what else the machine does.
Machine measure_machine();

Json to_json(const Machine& machine);

}  // namespace plinth::cli
