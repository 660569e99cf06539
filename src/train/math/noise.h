// NEFTune: uniform noise on the embeddings of training samples, so that a model tuned on few rows
// does not learn them by heart. Source: Jain et al., "NEFTune: Noisy Embeddings Improve Instruction
// Finetuning", ICLR 2024.
#pragma once

#include "tensor/tensor.h"
#include "train/math/tape.h"

namespace plinth::train {

// Adds to each segment of x [R, width] noise in +-alpha / sqrt(rows of the segment * width). It is
// a function of the batch's noise seed and the segment's sample alone: however samples are packed,
// and after a resumed run, each gets the same.
void add_noise(const MicroBatch& batch, tensor::Matrix x);

}  // namespace plinth::train
