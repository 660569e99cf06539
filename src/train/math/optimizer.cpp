#include "train/math/optimizer.h"

#include <algorithm>
#include <cmath>

namespace plinth::train {

Optimizer::Optimizer(const tensor::Ops& ops, const Parameters& parameters,
                     const OptimizerOptions& options)
    : ops_(&ops), options_(options), m_(parameters.size()), v_(parameters.size()) {
  m_.fill(0.0f);
  v_.fill(0.0f);
}

double Optimizer::step(Parameters& parameters, double learning_rate) {
  const auto gradients = parameters.gradients();
  const double norm = std::sqrt(ops_->sum_of_squares(gradients));
  if (std::isfinite(norm)) {
    ++steps_;
    tensor::AdamW hyper;
    hyper.lr = static_cast<float>(learning_rate);
    hyper.beta1 = static_cast<float>(options_.beta1);
    hyper.beta2 = static_cast<float>(options_.beta2);
    hyper.eps = static_cast<float>(options_.eps);
    hyper.step = steps_;
    if (options_.clip > 0 && norm > options_.clip)
      hyper.gradient_scale = static_cast<float>(options_.clip / norm);
    const auto decayed = static_cast<size_t>(parameters.decayed_size());
    const auto update = [&](size_t first, size_t n, double decay) {
      hyper.weight_decay = static_cast<float>(decay);
      ops_->adamw(parameters.values().subspan(first, n), gradients.subspan(first, n),
                  m_.span().subspan(first, n), v_.span().subspan(first, n), hyper);
    };
    update(0, decayed, options_.weight_decay);
    update(decayed, gradients.size() - decayed, 0.0);
  }
  std::fill(gradients.begin(), gradients.end(), 0.0f);
  return norm;
}

}  // namespace plinth::train
