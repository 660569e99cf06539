// Norms, rotary positions, activations and embeddings of cpu_ops(); contracts in ops.h.
#pragma once

#include <cstdint>
#include <span>

#include "tensor/ops.h"

namespace plinth::tensor::cpu {

void rms_norm(ConstMatrix x, const float* gain, float eps, Matrix y, float* inverse_rms);
void rms_norm_backward(ConstMatrix x, const float* gain, const float* inverse_rms, ConstMatrix dy,
                       Matrix dx, float* dgain);
void layer_norm(ConstMatrix x, const float* gain, const float* bias, float eps, Matrix y);
void layer_norm_backward(ConstMatrix x, const float* gain, float eps, ConstMatrix dy, Matrix dx,
                         float* dgain, float* dbias);
void rope(Matrix x, std::span<const int32_t> positions, const Rope& how, bool inverse);
void swiglu(ConstMatrix gate, ConstMatrix up, Matrix y);
void swiglu_backward(ConstMatrix gate, ConstMatrix up, ConstMatrix dy, Matrix dgate, Matrix dup);
void gelu(ConstMatrix x, Matrix y);
void gelu_backward(ConstMatrix x, ConstMatrix dy, Matrix dx);
void embed(std::span<const int32_t> tokens, Weight table, Matrix y);
void embed_backward(std::span<const int32_t> tokens, ConstMatrix dy, Matrix dtable);

}  // namespace plinth::tensor::cpu
