// The added tokens of a tokenizer: which there are, and where a text has them, with the rules that
// tokenizer.json gives them (white space they take along, whole words only, before or after
// normalisation). Source of the rules: tokenizers/src/tokenizer/added_vocabulary.rs of
// huggingface/tokenizers.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_map>

#include "core/result.h"
#include "text/normalizer.h"
#include "text/special_matcher.h"
#include "text/tokenizer.h"

namespace plinth::text {

// Immutable once built; any thread.
class AddedTokens {
 public:
  static Result<AddedTokens> create(const TokenizerSpec& spec, const Normalizer& normalizer);

  // Tokens that are looked for in the raw text, and in the normalised text.
  enum Pass { kRaw, kNormal };

  // Calls visit(begin, end, id) for each, from left to right, none overlapping. Without
  // `parse_special` only user-defined ones.
  template <typename Visit>
  void each(Pass pass, std::string_view text, bool parse_special, const Visit& visit) const {
    const SpecialMatcher& matcher = (parse_special ? all_ : visible_)[pass];
    if (matcher.empty()) return;
    size_t done = 0;
    for (size_t from = 0; from < text.size();) {
      const auto hit = matcher.find(text, from);
      if (!hit) break;
      from = hit->at + hit->length;
      size_t begin = hit->at, end = from;
      if (begin < done) continue;
      if (!rules_.empty() && !widen(text, done, hit->id, begin, end)) continue;
      visit(begin, end, hit->id);
      done = end;
    }
  }

  // -1 when there is none.
  int32_t id_of(std::string_view text) const { return names_.id_of(text); }

  // What normalisation goes around; null when there is nothing.
  const SpecialMatcher* verbatim() const { return verbatim_.empty() ? nullptr : &verbatim_; }

 private:
  // Applies the token's rules to its match; false when it does not count. Spaces before `done`
  // belong to the token before.
  bool widen(std::string_view text, size_t done, int32_t id, size_t& begin, size_t& end) const;

  std::array<SpecialMatcher, 2> all_;
  std::array<SpecialMatcher, 2> visible_;
  SpecialMatcher names_;
  SpecialMatcher verbatim_;
  std::unordered_map<int32_t, Matching> rules_;
};

}  // namespace plinth::text
