#include "text/special_matcher.h"

#include <algorithm>

namespace plinth::text {

bool SpecialMatcher::add(std::string_view text, int32_t id) {
  if (!ids_.emplace(text, id).second) return false;
  begins_[static_cast<unsigned char>(text[0])] = true;
  auto& lengths = lengths_[static_cast<unsigned char>(text[0])];
  const auto at = std::lower_bound(lengths.begin(), lengths.end(), text.size(), std::greater<>{});
  if (at == lengths.end() || *at != text.size()) lengths.insert(at, text.size());
  return true;
}

std::optional<SpecialMatch> SpecialMatcher::at(std::string_view text, size_t at) const {
  for (const size_t length : lengths_[static_cast<unsigned char>(text[at])]) {
    if (length > text.size() - at) continue;
    if (const auto hit = ids_.find(text.substr(at, length)); hit != ids_.end())
      return SpecialMatch{at, length, hit->second};
  }
  return std::nullopt;
}

std::optional<SpecialMatch> SpecialMatcher::find(std::string_view text, size_t from) const {
  if (ids_.empty()) return std::nullopt;
  for (size_t i = from; i < text.size(); ++i) {
    if (!begins_[static_cast<unsigned char>(text[i])]) continue;
    if (const auto hit = at(text, i)) return hit;
  }
  return std::nullopt;
}

int32_t SpecialMatcher::id_of(std::string_view text) const {
  const auto hit = ids_.find(text);
  return hit == ids_.end() ? -1 : hit->second;
}

}  // namespace plinth::text
