#include <algorithm>

#include "grammar/grammar.h"
#include "grammar/network.h"
#include "grammar/tables.h"
#include "grammar/trie.h"

namespace plinth::grammar {

Matcher::Matcher(std::shared_ptr<const Grammar> grammar,
                 std::shared_ptr<const Vocabulary> vocabulary)
    : grammar_(std::move(grammar)),
      vocabulary_(std::move(vocabulary)),
      tables_(grammar_->tables(vocabulary_, nullptr)) {}

Result<Matcher> Matcher::create(std::shared_ptr<const Grammar> grammar,
                                std::shared_ptr<const Vocabulary> vocabulary) {
  const Network& network = grammar->network();
  for (size_t byte = 0; byte < 256; ++byte)
    if (network.used[byte] && !vocabulary->tries()[0].has_byte(static_cast<uint8_t>(byte)))
      return invalid("grammar: it can need the byte 0x{:02X}, which is no token of the vocabulary",
                     byte);
  Matcher matcher(std::move(grammar), std::move(vocabulary));
  {
    const std::lock_guard lock(matcher.tables_->mutex());
    matcher.stand(matcher.tables_->start());
  }
  return matcher;
}

void Matcher::stand(int32_t state) {
  state_ = state;
  can_end_ = tables_->can_end(state);
  complete_ = tables_->is_final(state);
}

// Moves to fresh tables when the current ones are full. They die with their last matcher.
void Matcher::renew() {
  {
    const std::lock_guard lock(tables_->mutex());
    if (!tables_->full()) return;
  }
  auto fresh = grammar_->tables(vocabulary_, tables_.get());
  const std::scoped_lock lock(fresh->mutex(), tables_->mutex());
  state_ = fresh->take_over(*tables_, state_);
  std::swap(tables_, fresh);
}

Result<std::span<const uint64_t>> Matcher::mask() {
  renew();
  mask_.assign((static_cast<size_t>(vocabulary_->size()) + 63) / 64, 0);
  const std::lock_guard lock(tables_->mutex());
  PLINTH_TRY(tables_->add_mask(state_, mask_));
  return std::span<const uint64_t>(mask_);
}

Status Matcher::accept(int32_t token) {
  const std::string_view bytes =
      token >= 0 && token < vocabulary_->size() ? vocabulary_->bytes(token) : std::string_view();
  if (bytes.empty()) return invalid("grammar: token {} is never offered", token);
  renew();
  const std::lock_guard lock(tables_->mutex());
  int32_t state = state_;
  for (const char byte : bytes) {
    PLINTH_TRY(state, tables_->step(state, static_cast<uint8_t>(byte)));
    if (state == Tables::kDead) return invalid("grammar: token {} does not fit here", token);
  }
  stand(state);
  return {};
}

}  // namespace plinth::grammar
