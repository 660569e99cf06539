#include "grammar/grammar.h"

#include <algorithm>

#include "grammar/calls.h"
#include "grammar/gbnf.h"
#include "grammar/network.h"
#include "grammar/schema.h"
#include "grammar/tables.h"
#include "grammar/trie.h"

namespace plinth::grammar {

// --- Vocabulary ---------------------------------------------------------------------------------

std::shared_ptr<const Vocabulary> Vocabulary::create(const text::Tokenizer& tokenizer) {
  std::shared_ptr<Vocabulary> out(new Vocabulary);
  const text::TokenizerSpec& spec = tokenizer.spec();
  out->tokens_.resize(static_cast<size_t>(tokenizer.size()));
  for (int32_t id = 0; id < tokenizer.size(); ++id) {
    if (tokenizer.is_special(id) || id == spec.unknown) continue;
    std::string bytes = tokenizer.decode_more({&id, 1});
    if (bytes.size() <= Trie::kTokenBytesMax)
      out->tokens_[static_cast<size_t>(id)] = std::move(bytes);
  }
  for (const int32_t id : spec.unused) out->tokens_[static_cast<size_t>(id)].clear();
  size_t longest = 0;
  for (const int bytes : kAlikeBytes) {
    out->tries_.emplace_back(out->tokens_, longest + 1, static_cast<size_t>(bytes));
    longest = static_cast<size_t>(bytes);
  }
  out->tries_.emplace_back(out->tokens_, longest + 1, Trie::kTokenBytesMax);
  return out;
}

Vocabulary::Vocabulary() = default;

Vocabulary::~Vocabulary() = default;

std::span<const Trie> Vocabulary::tries() const {
  return tries_;
}

// --- Grammar ------------------------------------------------------------------------------------

namespace {

Result<std::unique_ptr<const Network>> compile(const Expressions& grammar, RuleId root) {
  PLINTH_TRY(auto network, build_network(grammar, root));
  return std::make_unique<const Network>(std::move(network));
}

}  // namespace

Grammar::Grammar(std::unique_ptr<const Network> network) : network_(std::move(network)) {}

Grammar::~Grammar() = default;

Result<std::shared_ptr<const Grammar>> Grammar::from_gbnf(std::string_view gbnf) {
  Expressions grammar;
  PLINTH_TRY(const RuleId root, parse_gbnf(gbnf, grammar));
  PLINTH_TRY(auto network, compile(grammar, root));
  return std::shared_ptr<const Grammar>(new Grammar(std::move(network)));
}

Result<std::shared_ptr<const Grammar>> Grammar::from_schema(std::string_view schema) {
  Expressions grammar;
  PLINTH_TRY(const RuleId root, compile_schema(schema, grammar));
  PLINTH_TRY(auto network, compile(grammar, root));
  return std::shared_ptr<const Grammar>(new Grammar(std::move(network)));
}

Result<std::shared_ptr<const Grammar>> Grammar::from_calls(const CallSpec& spec) {
  Expressions grammar;
  PLINTH_TRY(const RuleId root, compile_calls(spec, grammar));
  PLINTH_TRY(auto network, compile(grammar, root));
  return std::shared_ptr<const Grammar>(new Grammar(std::move(network)));
}

size_t Grammar::memory_bytes() const {
  const size_t own = network_->nodes.size() * sizeof(Network::Node) +
                     network_->edges.size() * sizeof(Edge) + network_->calls.size() * sizeof(Call) +
                     network_->alike.size() * network_->nodes.size() * sizeof(int32_t);
  const std::lock_guard lock(mutex_);
  if (tables_ == nullptr) return own;
  const std::lock_guard tables_lock(tables_->mutex());
  return own + tables_->bytes();
}

std::shared_ptr<Tables> Grammar::tables(const std::shared_ptr<const Vocabulary>& vocabulary,
                                        const Tables* full) const {
  const std::lock_guard lock(mutex_);
  if (tables_ == nullptr || tables_.get() == full || &tables_->vocabulary() != vocabulary.get())
    tables_ = std::make_shared<Tables>(*network_, vocabulary);
  return tables_;
}

// --- SchemaCache --------------------------------------------------------------------------------

Result<std::shared_ptr<const Grammar>> SchemaCache::get(std::string_view schema) {
  return get(schema, [&] { return Grammar::from_schema(schema); });
}

Result<std::shared_ptr<const Grammar>> SchemaCache::get(std::string_view key, const Make& make) {
  const auto find = [&] {
    return std::ranges::find(entries_, key,
                             [](const Entry& e) { return std::string_view(e.first); });
  };
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = find(); known != entries_.end()) {
      entries_.splice(entries_.begin(), entries_, known);
      return known->second;
    }
  }
  PLINTH_TRY(auto grammar, make());
  const std::lock_guard lock(mutex_);
  if (const auto known = find(); known != entries_.end()) return known->second;
  entries_.emplace_front(key, grammar);
  size_t bytes = 0;
  size_t kept = 0;
  auto it = entries_.begin();
  for (; it != entries_.end() && kept < limits_.entries; ++it, ++kept)
    if ((bytes += it->first.size() + it->second->memory_bytes()) > limits_.bytes && kept > 0) break;
  entries_.erase(it, entries_.end());
  return grammar;
}

}  // namespace plinth::grammar
