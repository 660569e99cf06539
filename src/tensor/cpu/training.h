// Losses and the optimiser of cpu_ops(); contracts in ops.h.
#pragma once

#include <cstdint>
#include <span>

#include "tensor/ops.h"

namespace plinth::tensor::cpu {

void cross_entropy(Matrix logits, std::span<const int32_t> targets, std::span<const float> weights,
                   std::span<float> losses);
void log_probability(ConstMatrix logits, std::span<const int32_t> targets, std::span<float> out);
void exp_sums(std::span<const float> x, float peak, float scale, std::span<float> sums);
void axpy(float a, std::span<const float> x, std::span<float> y);
double sum_of_squares(std::span<const float> x);
void adamw(std::span<float> w, std::span<float> g, std::span<float> m, std::span<float> v,
           const AdamW& hyper);

}  // namespace plinth::tensor::cpu
