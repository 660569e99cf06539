#include "train/lineage.h"

#include <utility>

#include <fmt/format.h>

#include "core/clock.h"
#include "core/hash.h"

namespace plinth::train {

std::string recipe_digest(const std::map<std::string, std::string>& fields) {
  std::string text;
  for (const auto& [key, value] : fields) text += fmt::format("{} = {}\n", key, value);
  return sha256_hex(text);
}

std::string code_version() {
  return "plinth " PLINTH_VERSION;
}

Status write_lineage(const Path& run_dir, const std::map<std::string, std::string>& fields,
                     Json facts) {
  facts["recipe"] = fields;
  facts["recipe_sha256"] = recipe_digest(fields);
  facts["code"] = code_version();
  facts["finished"] = iso_time(system_clock().unix_ms());
  return write_file_atomic(run_dir / "lineage.json", facts.dump(1) + "\n");
}

}  // namespace plinth::train
