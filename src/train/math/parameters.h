// Trainable parameters: one arena of values and one of gradients with the same layout, so that the
// optimiser and the checkpoint each are one loop over it. One owner, the training thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace plinth::train {

struct Parameter {
  std::string name;    // as Hugging Face names the tensor
  int64_t offset = 0;  // floats into the arena
  int64_t rows = 0;
  int64_t cols = 0;
  double rate = 1;  // its learning rate is this many times that of the others
};

class Parameters {
 public:
  // Lays out one more parameter and returns its index. Those with weight decay come first, then
  // those without; allocate() ends the layout.
  int64_t add(std::string name, int64_t rows, int64_t cols, bool decay);

  void set_rate(int64_t index, double rate) { list_[static_cast<size_t>(index)].rate = rate; }

  // Values and gradients are zero afterwards.
  void allocate();

  const std::vector<Parameter>& list() const { return list_; }

  int64_t size() const { return size_; }

  // Floats at the front of the arena that weight decay applies to.
  int64_t decayed_size() const { return decayed_size_; }

  tensor::Matrix value(int64_t index) { return view(values_, index); }

  tensor::Matrix gradient(int64_t index) { return view(gradients_, index); }

  std::span<float> values() { return values_.span(); }

  std::span<float> gradients() { return gradients_.span(); }

 private:
  tensor::Matrix view(tensor::Buffer& buffer, int64_t index);

  std::vector<Parameter> list_;
  int64_t size_ = 0;
  int64_t decayed_size_ = 0;
  tensor::Buffer values_;
  tensor::Buffer gradients_;
};

}  // namespace plinth::train
