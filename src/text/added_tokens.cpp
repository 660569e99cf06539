#include "text/added_tokens.h"

#include <unicode/uchar.h>

#include "text/unicode.h"

namespace plinth::text {

namespace {

bool is_space(int32_t code) {
  return code >= 0 && u_isUWhiteSpace(code);
}

bool is_word(int32_t code) {
  return code >= 0 && (u_isalnum(code) || code == '_' || (U_GET_GC_MASK(code) & U_GC_M_MASK) != 0);
}

// The character that ends at text[end - 1].
Utf8Char character_before(std::string_view text, size_t end) {
  for (size_t back = 1; back <= 4 && back <= end; ++back) {
    const Utf8Char c = utf8_at(text, end - back);
    if (c.code >= 0 && static_cast<size_t>(c.length) == back) return c;
  }
  return {};
}

}  // namespace

Result<AddedTokens> AddedTokens::create(const TokenizerSpec& spec, const Normalizer& normalizer) {
  AddedTokens out;
  for (const Matching& rule : spec.matching) out.rules_[rule.id] = rule;
  for (const auto* list : {&spec.special, &spec.user_defined}) {
    const bool special = list == &spec.special;
    for (const int32_t id : *list) {
      const std::string& token = spec.tokens[static_cast<size_t>(id)];
      if (!out.names_.add(token, id))
        return invalid("tokenizer: special token '{}' is there twice (again as {})", token, id);
      const auto rule = out.rules_.find(id);
      const bool inside = spec.sentencepiece && !special;
      const bool normalized = rule != out.rules_.end() && rule->second.normalized;
      const Pass pass = inside || normalized ? kNormal : kRaw;
      const std::string text = normalized ? normalizer.apply(token, true, nullptr) : token;
      if (text.empty()) continue;
      (void)out.all_[pass].add(text, id);
      if (!special) (void)out.visible_[pass].add(text, id);
      if (inside) (void)out.verbatim_.add(token, id);
    }
  }
  return out;
}

bool AddedTokens::widen(std::string_view text, size_t done, int32_t id, size_t& begin,
                        size_t& end) const {
  const auto hit = rules_.find(id);
  if (hit == rules_.end()) return true;
  const Matching& rule = hit->second;
  if (rule.word) {
    if (begin > 0 && is_word(character_before(text, begin).code)) return false;
    if (end < text.size() && is_word(utf8_at(text, end).code)) return false;
  }
  while (rule.left && begin > done) {
    const Utf8Char c = character_before(text, begin);
    if (!is_space(c.code)) break;
    begin -= static_cast<size_t>(c.length);
  }
  while (rule.right && end < text.size()) {
    const Utf8Char c = utf8_at(text, end);
    if (!is_space(c.code)) break;
    end += static_cast<size_t>(c.length);
  }
  return true;
}

}  // namespace plinth::text
