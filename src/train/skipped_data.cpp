#include "train/skipped_data.h"

#include <utility>

namespace plinth::train {

int64_t SkippedData::behind(int64_t cursor) const {
  for (bool moved = true; moved;) {
    moved = false;
    for (const auto& stretch : stretches_)
      if (cursor >= stretch.begin && cursor < stretch.end) {
        cursor = stretch.end;
        moved = true;
      }
  }
  return cursor;
}

Json SkippedData::reasons() const {
  Json all = Json::array();
  for (const auto& stretch : stretches_) all.push_back(stretch.reason);
  return all;
}

Json SkippedData::to_json() const {
  Json all = Json::array();
  for (const auto& [begin, end, reason] : stretches_)
    all.push_back({{"begin", begin}, {"end", end}, {"reason", reason}});
  return all;
}

SkippedData SkippedData::from_json(const Json& extra) {
  SkippedData skipped;
  const auto all = extra.is_object() ? extra.find("skipped") : extra.end();
  if (all == extra.end() || !all->is_array()) return skipped;
  for (const auto& one : *all)
    if (one.is_object())
      skipped.add({int_or(one, "begin", 0), int_or(one, "end", 0), string_or(one, "reason", "")});
  return skipped;
}

}  // namespace plinth::train
