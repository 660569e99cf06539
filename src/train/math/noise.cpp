#include "train/math/noise.h"

#include <cmath>
#include <string_view>

#include "core/check.h"
#include "core/hash.h"
#include "core/rng.h"

namespace plinth::train {

void set_noise(double alpha, uint64_t step_seed, MicroBatch& batch) {
  batch.noise.clear();
  for (const int64_t sample : batch.samples) {
    const uint64_t key[] = {step_seed, static_cast<uint64_t>(sample)};
    batch.noise.push_back({alpha, xxh3({reinterpret_cast<const char*>(key), sizeof key})});
  }
}

void add_noise(const MicroBatch& batch, tensor::Matrix x) {
  const auto& starts = batch.segment_starts;
  PLINTH_CHECK(batch.noise.size() + 1 == starts.size(), "noise for {} of {} segments",
               batch.noise.size(), starts.size() - 1);
  for (size_t segment = 0; segment + 1 < starts.size(); ++segment) {
    const auto [alpha, seed] = batch.noise[segment];
    if (!(alpha > 0)) continue;
    Rng rng(seed);
    const int64_t rows = starts[segment + 1] - starts[segment];
    const double size = alpha / std::sqrt(static_cast<double>(rows * x.cols));
    for (int64_t r = starts[segment]; r < starts[segment + 1]; ++r)
      for (int64_t c = 0; c < x.cols; ++c)
        x.row(r)[c] += static_cast<float>((2 * rng.uniform() - 1) * size);
  }
}

}  // namespace plinth::train
