#include "eval/journal.h"

#include <system_error>
#include <utility>

#include "core/json.h"
#include "eval/item_json.h"

namespace plinth::eval {
namespace {

std::string line_of(const Json& json) {
  return to_text(json) + '\n';
}

}  // namespace

Result<Journal> Journal::open(const Path& path, const std::string& key) {
  std::map<std::string, ItemResult> known;
  std::string whole = line_of({{"key", key}});
  std::error_code error;
  if (std::filesystem::exists(path, error)) {
    PLINTH_TRY(const std::string text, read_file(path));
    bool first = true;
    size_t at = 0;
    // Only lines with an end were written whole.
    for (size_t end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
      const auto row = parse_json(std::string_view(text).substr(at, end - at), path.string());
      if (std::exchange(first, false)) {
        if (!row || !row->is_object() || string_or(*row, "key", "") != key) break;
        continue;
      }
      auto item = row ? item_of(*row) : std::optional<ItemResult>();
      if (!item) continue;
      whole += line_of(*row);
      known.insert_or_assign(item->id, *std::move(item));
    }
  } else {
    PLINTH_TRY(make_directories(path.parent_path()));
  }
  PLINTH_TRY(write_file_atomic(path, whole));
  PLINTH_TRY(auto file, OutputFile::create(path, /*append=*/true));
  Journal journal(std::move(file));
  journal.known_ = std::move(known);
  return journal;
}

const ItemResult* Journal::find(const std::string& id) const {
  const auto it = known_.find(id);
  return it == known_.end() ? nullptr : &it->second;
}

Status Journal::add(std::span<const ItemResult> items) {
  if (items.empty()) return {};
  for (const ItemResult& item : items) PLINTH_TRY(file_.write(line_of(to_json(item))));
  return file_.sync();
}

}  // namespace plinth::eval
