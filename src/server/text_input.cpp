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

void ignore_ends(const text::Tokenizer& tokenizer, engine::Request& request) {
  constexpr float kNever = -100;  // as far as a bias goes
  auto& bias = request.sampling.logit_bias;
  for (const int32_t id : request.stop_tokens) bias.emplace_back(id, kNever);
  if (tokenizer.eos() >= 0) bias.emplace_back(tokenizer.eos(), kNever);
}

}  // namespace plinth::server
