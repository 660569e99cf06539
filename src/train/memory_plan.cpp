#include "train/memory_plan.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>

#include <fmt/format.h>

#include "core/bytes.h"
#include "train/math/tape.h"

namespace plinth::train {
namespace {

// What a run holds whatever the model: packed factors, sums of tiles, stacks (24 MB), and the pages
// of the program and its libraries that it touches (32 MB). Measured over bases of 5M and 500M
// parameters: with it no plan was off by more than a tenth.
constexpr int64_t kFixed = int64_t{56} << 20;

}  // namespace

int64_t process_bytes() {
  std::ifstream in("/proc/self/statm");
  int64_t size = 0, resident = 0, shared = 0;
  in >> size >> resident >> shared;
  return (resident - shared) * sysconf(_SC_PAGESIZE);
}

std::string MemoryPlan::text() const {
  return fmt::format(
      "{}: base {}, what learns {}, activations {}, the rest {}; {} layers computed twice",
      format_bytes(total()), format_bytes(base), format_bytes(learner), format_bytes(tape),
      format_bytes(rest), recomputed_layers);
}

Result<MemoryPlan> plan_memory(const model::Model& base, const MemoryNeeds& needs) {
  const auto& config = base.config();
  MemoryPlan plan;
  plan.base = needs.owns_base ? 0 : base.weight_bytes();
  plan.learner = needs.learner;
  plan.rest = needs.process + kFixed;
  const auto head = needs.owns_base ? tensor::DType::kF32 : base.weights().head.type;
  const int64_t loss_rows = needs.loss_rows < 0 ? needs.rows : needs.loss_rows;
  // What the tape holds beside that of `rows` rows, all with loss.
  const int64_t measuring =
      std::max<int64_t>(0, Tape::measuring_bytes_of(config, needs.measured_rows - needs.rows));
  const int64_t beside = measuring + ChunkedLoss::bytes_of(config, head, loss_rows) -
                         ChunkedLoss::bytes_of(config, head, needs.rows);
  for (; plan.recomputed_layers <= config.layers; ++plan.recomputed_layers) {
    plan.tape = Tape::bytes_of(config, head, needs.rows, plan.recomputed_layers) + beside;
    if (needs.budget == 0 || plan.total() <= needs.budget) return plan;
  }
  return make_error(Code::kResourceExhausted,
                    "a budget of {} is too small: with all layers computed twice the run takes {}. "
                    "Give it more, or make train.micro_tokens or lora.rank smaller",
                    format_bytes(needs.budget), plan.text());
}

}  // namespace plinth::train
