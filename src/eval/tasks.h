// One function for each kind of suite: items in, item results out. run_suite() picks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/result.h"
#include "engine/engine.h"
#include "eval/eval.h"

namespace plinth::eval {

// What the tasks share.
struct TaskContext {
  engine::Engine& engine;
  std::shared_ptr<const model::Adapter>
      adapter;  // shared with the caller and the engine's requests
  const EvalOptions& options;
  const Suite& suite;
  // Items that have become final, in any order; once for each.
  std::function<Status(std::span<const ItemResult>)> keep;
};

Result<std::vector<ItemResult>> run_choice(const TaskContext& context);
Result<std::vector<ItemResult>> run_short(const TaskContext& context);
Result<std::vector<ItemResult>> run_text(const TaskContext& context);

// A document of `size` tokens in windows of at most `window`: tokens [begin, end) go in,
// log-probabilities of [first_scored, end) are wanted. Together the windows score 1..size - 1 once
// each, and from the second window on each with at least window / 2 tokens before it.
struct Window {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t first_scored = 0;

  bool operator==(const Window&) const = default;
};

std::vector<Window> windows_of(int64_t size, int64_t window);

}  // namespace plinth::eval
