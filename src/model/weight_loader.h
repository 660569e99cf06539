// From the tensors of a file to Weights: every tensor is asked for by name and shape, and a tensor
// that nobody asked for is an error, because a weight left out is a model that answers wrongly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"
#include "core/result.h"
#include "model/model.h"
#include "model/stored_tensor.h"
#include "model/tensor_names.h"

namespace plinth::model {

// What weight views point into: the mapped files, float copies of norms and biases that the file
// keeps in another type, and matrices that it keeps turned.
struct WeightStorage {
  std::vector<MappedFile> files;
  std::deque<std::vector<float>> copies;
  std::deque<std::vector<std::byte>> turned;
};

class TensorPicker {
 public:
  // `file` begins every message. Names that begin with `prefix` lose it. Two tensors of one name
  // are refused.
  static Result<TensorPicker> create(std::string file, std::vector<StoredTensor> tensors,
                                     WeightStorage& storage, std::string_view prefix = {});

  bool has(std::string_view name) const { return index_.contains(name); }

  // A view of the stored bytes, whatever their type.
  Result<tensor::Weight> matrix(std::string_view name, int64_t rows, int64_t cols);
  // The same [rows, cols] from a tensor of shape [cols, rows]: a copy in the storage.
  Result<tensor::Weight> turned_matrix(std::string_view name, int64_t rows, int64_t cols);
  // Floats: a view when the file has them as aligned F32, else a copy in the storage.
  Result<const float*> floats(std::string_view name, const std::vector<int64_t>& shape);
  // A tensor that is known and not needed.
  void ignore(std::string_view name);

  // kInvalidArgument naming the first tensor that was never asked for.
  Status finish() const;

 private:
  TensorPicker(std::string file, std::vector<StoredTensor> tensors, WeightStorage& storage)
      : file_(std::move(file)), tensors_(std::move(tensors)), storage_(&storage) {}

  Result<const StoredTensor*> take(std::string_view name, const std::vector<int64_t>& shape);

  std::string file_;
  std::vector<StoredTensor> tensors_;
  std::map<std::string, size_t, std::less<>> index_;
  std::vector<bool> used_;
  WeightStorage* storage_;  // outlives the picker: the caller hands both to the model
};

// All weights of a checked config, under the names of a format. Calls picker.finish().
Result<Weights> load_weights(const ModelConfig& config, const TensorNames& names,
                             TensorPicker& picker);

}  // namespace plinth::model
