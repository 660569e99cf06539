// The safetensors format: eight bytes of header length, a JSON header, raw tensors.
// Source: https://huggingface.co/docs/safetensors, section "Format".
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"
#include "core/result.h"
#include "model/stored_tensor.h"

namespace plinth::model {

// The tensors of a file, as views into `bytes`, in the order of the data. Checked: header size,
// names, types (F32, F16, BF16), shapes, and that the tensors cover the data exactly, without a
// hole or an overlap. `name` begins every message.
Result<std::vector<StoredTensor>> parse_safetensors(std::span<const std::byte> bytes,
                                                    std::string_view name);

// The strings of a file's __metadata__ whose keys begin with `prefix`; none where there are none.
std::map<std::string, std::string> safetensors_metadata(std::span<const std::byte> bytes,
                                                        std::string_view prefix);

// Writes tensors in the order given, aligned to 8 bytes at the start of the data. Atomic.
Status write_safetensors(const Path& path, std::span<const StoredTensor> tensors,
                         const std::map<std::string, std::string>& metadata);

}  // namespace plinth::model
