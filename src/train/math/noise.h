// NEFTune: uniform noise on the embeddings of training samples, so that a model tuned on few rows
// does not learn them by heart. Source: Jain et al., "NEFTune: Noisy Embeddings Improve Instruction
// Finetuning", ICLR 2024.
#pragma once

#include "tensor/tensor.h"
#include "train/math/tape.h"

namespace plinth::train {

// Gives each of the batch's samples noise of its own in a step whose seed this is.
void set_noise(double alpha, uint64_t step_seed, MicroBatch& batch);

// Adds to each segment of x [R, width] noise in +-alpha / sqrt(rows of the segment * width). It is
// a function of the segment's seed alone: however samples are packed,
// and after a resumed run, each gets the same.
void add_noise(const MicroBatch& batch, tensor::Matrix x);

}  // namespace plinth::train
