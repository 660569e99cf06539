#include "train/math/parameters.h"

#include <utility>

#include "core/check.h"

namespace plinth::train {
namespace {

constexpr int64_t kAlignFloats = 16;  // a cache line, as tensor::Buffer aligns

}  // namespace

int64_t Parameters::add(std::string name, int64_t rows, int64_t cols, bool decay) {
  PLINTH_CHECK(values_.size() == 0, "{}: the layout has ended", name);
  PLINTH_CHECK(!decay || decayed_size_ == size_, "{}: decayed parameters come first", name);
  list_.push_back({std::move(name), size_, rows, cols, 1});
  size_ += (rows * cols + kAlignFloats - 1) / kAlignFloats * kAlignFloats;
  if (decay) decayed_size_ = size_;
  return static_cast<int64_t>(list_.size()) - 1;
}

void Parameters::allocate() {
  values_.resize(size_);
  values_.fill(0.0f);
  gradients_.resize(size_);
  gradients_.fill(0.0f);
}

tensor::Matrix Parameters::view(tensor::Buffer& buffer, int64_t index) {
  const auto& parameter = list_[static_cast<size_t>(index)];
  return tensor::matrix(buffer.data() + parameter.offset, parameter.rows, parameter.cols);
}

}  // namespace plinth::train
