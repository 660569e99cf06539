#include "train/math/optimizer.h"

#include <algorithm>
#include <cmath>

namespace plinth::train {

Optimizer::Optimizer(const tensor::Ops& ops, const Parameters& parameters,
                     const OptimizerOptions& options)
    : ops_(&ops), options_(options), m_(parameters.size()), v_(parameters.size()), muon_(ops) {
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
    hyper.weight_decay = static_cast<float>(options_.weight_decay);
    if (options_.kind == OptimizerKind::kMuon)
      update_muon(parameters, hyper);
    else
      update_adamw(parameters, 0, decayed, hyper);
    hyper.weight_decay = 0;
    update_adamw(parameters, decayed, gradients.size() - decayed, hyper);
  }
  std::fill(gradients.begin(), gradients.end(), 0.0f);
  return norm;
}

void Optimizer::update_adamw(Parameters& parameters, size_t first, size_t n,
                             const tensor::AdamW& hyper) {
  ops_->adamw(parameters.values().subspan(first, n), parameters.gradients().subspan(first, n),
              m_.span().subspan(first, n), v_.span().subspan(first, n), hyper);
}

void Optimizer::update_muon(Parameters& parameters, const tensor::AdamW& hyper) {
  const auto& list = parameters.list();
  for (size_t i = 0; i < list.size() && list[i].offset < parameters.decayed_size(); ++i) {
    const auto index = static_cast<int64_t>(i);
    muon_.update(parameters.value(index), parameters.gradient(index),
                 tensor::matrix(m_.data() + list[i].offset, list[i].rows, list[i].cols), hyper);
  }
}

}  // namespace plinth::train
