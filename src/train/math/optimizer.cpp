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
    hyper.weight_decay = static_cast<float>(options_.weight_decay);
    update(parameters, hyper);
  } else {
    std::fill(gradients.begin(), gradients.end(), 0.0f);
  }
  return norm;
}

void Optimizer::update(Parameters& parameters, const tensor::AdamW& hyper) {
  const auto& list = parameters.list();
  const auto decays = [&](size_t i) { return list[i].offset < parameters.decayed_size(); };
  size_t i = 0;
  if (options_.kind == OptimizerKind::kMuon) {
    update_muon(parameters, hyper);
    while (i < list.size() && decays(i)) ++i;
  }
  // Neighbours that learn alike are one call.
  while (i < list.size()) {
    const size_t first = i;
    while (i < list.size() && decays(i) == decays(first) && list[i].rate == list[first].rate) ++i;
    tensor::AdamW own = hyper;
    own.lr = static_cast<float>(double{hyper.lr} * list[first].rate);
    if (!decays(first)) own.weight_decay = 0;
    const auto begin = static_cast<size_t>(list[first].offset);
    const auto end = static_cast<size_t>(i < list.size() ? list[i].offset : parameters.size());
    ops_->adamw(parameters.values().subspan(begin, end - begin),
                parameters.gradients().subspan(begin, end - begin),
                m_.span().subspan(begin, end - begin), v_.span().subspan(begin, end - begin), own);
  }
}

void Optimizer::update_muon(Parameters& parameters, const tensor::AdamW& hyper) {
  const auto& list = parameters.list();
  for (size_t i = 0; i < list.size() && list[i].offset < parameters.decayed_size(); ++i) {
    const auto index = static_cast<int64_t>(i);
    muon_.update(parameters.value(index), parameters.gradient(index),
                 tensor::matrix(m_.data() + list[i].offset, list[i].rows, list[i].cols), hyper);
  }
  const auto used = parameters.gradients().first(static_cast<size_t>(parameters.decayed_size()));
  std::fill(used.begin(), used.end(), 0.0f);
}

}  // namespace plinth::train
