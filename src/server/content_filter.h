// Words that may not come in or go out, by category: what one asks is refused or masked, what is
// answered is cut off or masked, also across the pieces of a stream. Letters of ASCII match in both
// cases. Where several words fit, the longest that begins first counts.
//
// The rules are tables of the configuration file (settings.h):
//
//   [[filter]]
//   category = "weapons"
//   words = "weapons.txt"   # one a line; relative to the file
//   input = "block"         # block, mask or pass (the default)
//   output = "mask"
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/file.h"
#include "core/result.h"

namespace plinth::server {

enum class FilterSide : uint8_t { kInput, kOutput };
enum class FilterAction : uint8_t { kPass, kMask, kBlock };

class ContentFilter {
 public:
  struct Rule {
    std::string category = {};
    std::vector<std::string> words = {};
    FilterAction input = FilterAction::kPass;
    FilterAction output = FilterAction::kPass;
  };

  struct Match {
    size_t begin = 0;
    size_t end = 0;
    const Rule* rule = nullptr;
  };

  // The tables "filter" of a configuration; files of words are relative to `folder`.
  static Result<ContentFilter> read(const Config& config, const Path& folder);
  static Result<ContentFilter> make(std::vector<Rule> rules);

  // The first match at or behind `from` whose rule does something on this side.
  std::optional<Match> find(std::string_view text, FilterSide side, size_t from = 0) const;
  // Bytes at the end of the text that could be the beginning of a word.
  size_t open_tail(std::string_view text) const;

  // Masks what is to be masked. kInvalidArgument, naming the category, for what blocks.
  Status check_input(std::string& text) const;

 private:
  struct Node {
    std::vector<std::pair<char, int32_t>> next = {};  // sorted
    int32_t rule = -1;                                // a word ends here
  };

  int32_t step(int32_t node, char c) const;

  std::vector<Rule> rules_;
  std::vector<Node> nodes_;
};

using ContentFilterPtr = std::shared_ptr<const ContentFilter>;

// One star for each character.
std::string mask_of(std::string_view word);

// One answer's text on its way out.
class FilteredText {
 public:
  explicit FilteredText(ContentFilterPtr filter) : filter_(std::move(filter)) {}

  // What may be shown now. `last`: nothing follows.
  std::string push(std::string_view text, bool last);

  // A word that blocks has come: nothing is shown any more.
  bool blocked() const { return blocked_; }

 private:
  ContentFilterPtr filter_;
  std::string pending_;
  bool blocked_ = false;
};

}  // namespace plinth::server
