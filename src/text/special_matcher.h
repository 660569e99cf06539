// Finds added tokens in text: the leftmost one, the longest of those that start there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace plinth::text {

struct SpecialMatch {
  size_t at = 0;
  size_t length = 0;
  int32_t id = -1;
};

// Immutable between add() calls; any thread may find().
class SpecialMatcher {
 public:
  // `text` is not empty. False when it is there already.
  bool add(std::string_view text, int32_t id);

  bool empty() const { return ids_.empty(); }

  // The longest one that text[at...] begins with; at < text.size().
  std::optional<SpecialMatch> at(std::string_view text, size_t at) const;

  std::optional<SpecialMatch> find(std::string_view text, size_t from) const;

  // -1 when there is none.
  int32_t id_of(std::string_view text) const;

 private:
  struct Hash {
    using is_transparent = void;

    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };

  std::unordered_map<std::string, int32_t, Hash, std::equal_to<>> ids_;
  std::array<std::vector<size_t>, 256> lengths_;  // by first byte, longest first
  std::array<bool, 256> begins_ = {};             // whether any begins with this byte
};

}  // namespace plinth::text
