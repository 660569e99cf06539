// Foreign bytes as an index: as they are, and again behind a valid header, so that the parser of
// the payload is reached.
#include <cstddef>
#include <cstdint>
#include <string>

#include "knowledge/index_file.h"
#include "knowledge/knowledge.h"

namespace {

void use(std::string bytes) {
  const auto index = plinth::knowledge::Index::parse(std::move(bytes));
  if (!index) return;
  for (const auto& hit : index->search("合同 a", 3))
    if (hit.citation.begin > hit.citation.end) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  use(bytes);
  use(plinth::knowledge::seal(bytes));
  return 0;
}
