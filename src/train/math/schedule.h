// The learning rate over a run: linear warm-up, then a cosine down to the floor, or constant with a
// linear decay at the end ("wsd": warm-up, stable, decay; a run can be extended from any checkpoint
// of its stable part).
// Sources: Loshchilov and Hutter, "SGDR", ICLR 2017; Hu et al., "MiniCPM", 2024, section 4.
#pragma once

#include <cstdint>

namespace plinth::train {

// kRange grows from the floor to the peak by the same factor each step: for finding a rate.
enum class ScheduleKind : uint8_t { kCosine, kWsd, kRange };

struct Schedule {
  ScheduleKind kind = ScheduleKind::kCosine;
  double peak = 0;
  int64_t warmup_steps = 0;
  int64_t steps = 1;
  double decay_fraction = 0.2;  // wsd: share of the steps spent decaying
  double floor = 0.05;          // last learning rate as a share of the peak; kRange: the first
};

// step counts from 1 to schedule.steps; later steps keep the floor.
double learning_rate(const Schedule& schedule, int64_t step);

}  // namespace plinth::train
