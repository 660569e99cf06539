#include "cli/machine.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <numeric>

#include "core/clock.h"
#include "core/threads.h"
#include "tensor/cpu/peak.h"
#include "tensor/ops.h"

namespace plinth::cli {
namespace {

std::string cpu_name() {
  std::ifstream in("/proc/cpuinfo");
  std::string line;
  while (std::getline(in, line)) {
    if (line.starts_with("model name") || line.starts_with("Model")) {
      const auto colon = line.find(": ");
      if (colon != std::string::npos) return line.substr(colon + 2);
    }
  }
  return "unknown";
}

int64_t meminfo(const std::string& key) {
  std::ifstream in("/proc/meminfo");
  std::string name, unit;
  int64_t kib = 0;
  while (in >> name >> kib) {
    std::getline(in, unit);
    if (name == key + ":") return kib * 1024;
  }
  return 0;
}

// The best of a few rounds: the bound is what the machine can do, not what it did on average.
template <typename Work>
double best_seconds(int rounds, const Work& work) {
  double best = 1e9;
  for (int round = 0; round < rounds; ++round) {
    const Stopwatch watch;
    work();
    best = std::min(best, watch.seconds());
  }
  return best;
}

double read_bandwidth() {
  constexpr int64_t kFloats = int64_t{128} << 20;
  constexpr int64_t kPiece = int64_t{1} << 20;
  tensor::Buffer data(kFloats);
  data.fill(1.0f);
  std::vector<double> sums(static_cast<size_t>(kFloats / kPiece));
  const auto& ops = tensor::default_ops();
  const double seconds = best_seconds(3, [&] {
    compute_pool().parallel_for(kFloats / kPiece, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i)
        sums[static_cast<size_t>(i)] = ops.sum_of_squares(
            data.span().subspan(static_cast<size_t>(i * kPiece), static_cast<size_t>(kPiece)));
    });
  });
  return static_cast<double>(kFloats) * sizeof(float) / seconds * 1e-9;
}

double matrix_rate() {
  constexpr int64_t n = 1024;
  tensor::Buffer a(n * n), b(n * n), c(n * n);
  a.fill(0.5f);
  b.fill(0.25f);
  const auto w = tensor::weight(tensor::matrix(std::as_const(b).data(), n, n));
  const double seconds =
      best_seconds(5, [&] { tensor::default_ops().linear(a.as(n, n), w, c.as(n, n), false); });
  return 2.0 * n * n * n / seconds * 1e-9;
}

// Operations a second of all threads, each running `run`.
double rate_in_registers(double (*run)(int64_t)) {
  constexpr int64_t kRounds = 2000;
  std::vector<double> operations(static_cast<size_t>(compute_pool().threads()));
  const double seconds = best_seconds(5, [&] {
    compute_pool().parallel_for(std::ssize(operations), 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) operations[static_cast<size_t>(i)] = run(kRounds);
    });
  });
  return std::accumulate(operations.begin(), operations.end(), 0.0) / seconds * 1e-9;
}

}  // namespace

Machine describe_machine() {
  Machine machine;
  machine.cpu = cpu_name();
  machine.cores = available_cores();
  machine.threads = compute_pool().threads();
  machine.simd = tensor::simd_target();
  machine.memory_bytes = meminfo("MemTotal");
  machine.memory_available_bytes = meminfo("MemAvailable");
  return machine;
}

Machine measure_machine() {
  Machine machine = describe_machine();
  machine.read_gb_per_s = read_bandwidth();
  machine.gflop_per_s = matrix_rate();
  machine.fma_gflop_per_s = rate_in_registers(tensor::cpu::run_multiply_adds);
  machine.byte_gop_per_s = rate_in_registers(tensor::cpu::run_byte_products);
  return machine;
}

Json to_json(const Machine& machine) {
  return {{"cpu", machine.cpu},
          {"cores", machine.cores},
          {"threads", machine.threads},
          {"simd", machine.simd},
          {"memory_bytes", machine.memory_bytes},
          {"memory_available_bytes", machine.memory_available_bytes},
          {"read_gb_per_s", machine.read_gb_per_s},
          {"gflop_per_s", machine.gflop_per_s},
          {"fma_gflop_per_s", machine.fma_gflop_per_s},
          {"byte_gop_per_s", machine.byte_gop_per_s}};
}

}  // namespace plinth::cli
