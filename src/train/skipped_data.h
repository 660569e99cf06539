// Stretches of the data that a run leaves out, because a step over them went wrong.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/json.h"

namespace plinth::train {

class SkippedData {
 public:
  struct Stretch {
    int64_t begin = 0;  // cursors [begin, end)
    int64_t end = 0;
    std::string reason = {};
  };

  void add(Stretch stretch) { stretches_.push_back(std::move(stretch)); }

  // The first cursor from `cursor` on that is not left out.
  int64_t behind(int64_t cursor) const;

  int64_t times() const { return static_cast<int64_t>(stretches_.size()); }

  Json reasons() const;

  // Member "skipped" of a checkpoint's extra; what is not there, or not so, is nothing.
  Json to_json() const;
  static SkippedData from_json(const Json& extra);

 private:
  std::vector<Stretch> stretches_;
};

}  // namespace plinth::train
