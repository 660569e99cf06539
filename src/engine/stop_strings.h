// Ends an answer at a stop string without ever showing any part of one: text that could still
// become a stop string is held back until it is decided.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace plinth::engine {

class StopStrings {
 public:
  // Empty stop strings are ignored.
  explicit StopStrings(std::vector<std::string> stops);

  struct Output {
    std::string text;  // certain now
    bool stopped = false;
  };

  // Where several stop strings occur, the one that begins first counts. After `stopped`, no more
  // calls.
  Output push(std::string_view text);

  // The held-back tail of an answer that ended for another reason.
  std::string finish();

 private:
  std::vector<std::string> stops_;
  std::string held_;
};

}  // namespace plinth::engine
