#include "server/text_input.h"

namespace plinth::server {

Result<std::vector<int32_t>> to_tokens(const text::Tokenizer& tokenizer, const TextOrTokens& input,
                                       bool parse_special, int64_t tokens_max,
                                       const std::string& place) {
  std::vector<int32_t> tokens = input.tokens;
  if (input.is_text) {
    tokens = tokenizer.spec().before;
    const auto more = tokenizer.encode(input.text, parse_special);
    tokens.insert(tokens.end(), more.begin(), more.end());
  }
  if (tokens.empty()) return invalid("{}: there is no token in it", place);
  for (const int32_t id : tokens)
    if (id >= tokenizer.size())
      return invalid("{}: token {} is outside 0..{}", place, id, tokenizer.size() - 1);
  if (std::ssize(tokens) > tokens_max)
    return invalid("{}: {} tokens do not fit, the limit is {}", place, tokens.size(), tokens_max);
  return tokens;
}

}  // namespace plinth::server
