#include "corpus/stage/line_counts.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "core/interrupt.h"

namespace plinth::corpus {
namespace {

struct Counted {
  uint64_t key = 0;
  uint32_t count = 0;
  uint32_t zero = 0;
};

constexpr size_t kPartsMax = 256;

size_t part_of(uint64_t key, size_t parts) {
  return static_cast<size_t>((key >> 32) * parts >> 32);
}

// Sorted, each key once.
void compact(std::vector<Counted>& keys) {
  std::sort(keys.begin(), keys.end(),
            [](const Counted& a, const Counted& b) { return a.key < b.key; });
  size_t n = 0;
  for (const Counted& one : keys)
    if (n > 0 && keys[n - 1].key == one.key)
      keys[n - 1].count += one.count;
    else
      keys[n++] = one;
  keys.resize(n);
}

}  // namespace

Path LineCounter::part(size_t i) const {
  return folder_ / fmt::format("keys-{:03}", i);
}

Result<LineCounter> LineCounter::create(const Path& folder, uint64_t keys, uint64_t memory_bytes) {
  LineCounter out(folder, memory_bytes);
  const uint64_t fit = std::max<uint64_t>(1024, memory_bytes / 2 / sizeof(Counted));
  const auto parts = static_cast<size_t>(std::min<uint64_t>(kPartsMax, keys / fit + 1));
  for (size_t i = 0; i < parts; ++i) {
    PLINTH_TRY(auto file, OutputFile::create(out.part(i)));
    out.parts_.push_back(std::move(file));
  }
  return out;
}

Status LineCounter::add(uint64_t key) {
  char raw[sizeof key];
  std::memcpy(raw, &key, sizeof key);
  return parts_[part_of(key, parts_.size())].write({raw, sizeof raw});
}

Status LineCounter::finish(uint32_t count_min) {
  const Path unfinished = folder_ / "lines.tmp";
  PLINTH_TRY(auto table, OutputFile::create(unfinished));
  const uint64_t fit = std::max<uint64_t>(1024, memory_bytes_ / sizeof(Counted));
  std::vector<Counted> keys;
  for (size_t i = 0; i < parts_.size(); ++i) {
    PLINTH_TRY(check_interrupted());
    PLINTH_TRY(parts_[i].close());
    {
      PLINTH_TRY(const auto map, MappedFile::open(part(i)));
      const std::string_view raw = map.text();
      keys.clear();
      // One key may be most of a part: what is there already shrinks before it grows.
      size_t compact_at = fit / 2;
      for (size_t at = 0; at + sizeof(uint64_t) <= raw.size(); at += sizeof(uint64_t)) {
        Counted one{0, 1, 0};
        std::memcpy(&one.key, raw.data() + at, sizeof one.key);
        keys.push_back(one);
        if (keys.size() < compact_at) continue;
        compact(keys);
        compact_at = std::max<size_t>(fit / 2, keys.size() * 2);
      }
      compact(keys);
    }
    std::erase_if(keys, [&](const Counted& one) { return one.count < count_min; });
    PLINTH_TRY(
        table.write({reinterpret_cast<const char*>(keys.data()), keys.size() * sizeof(Counted)}));
    PLINTH_TRY(remove_tree(part(i)));
  }
  PLINTH_TRY(table.close());
  std::error_code error;
  std::filesystem::rename(unfinished, folder_ / "lines", error);
  if (error) return make_error(Code::kUnavailable, "{}: {}", unfinished.string(), error.message());
  return {};
}

Result<LineCounts> LineCounts::open(const Path& folder) {
  PLINTH_TRY(auto map, MappedFile::open(folder / "lines"));
  return LineCounts(std::move(map));
}

uint32_t LineCounts::count(uint64_t key) const {
  const std::span<const Counted> all(reinterpret_cast<const Counted*>(map_.bytes().data()),
                                     map_.bytes().size() / sizeof(Counted));
  const auto at = std::lower_bound(all.begin(), all.end(), key,
                                   [](const Counted& one, uint64_t k) { return one.key < k; });
  return at != all.end() && at->key == key ? at->count : 0;
}

}  // namespace plinth::corpus
