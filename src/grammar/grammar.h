// Output that must follow a grammar: GBNF or a JSON Schema becomes an automaton over bytes, and the
// automaton says before each token which tokens of the vocabulary may come next.
//
//   Grammar     what may be written. Immutable; compiled once, shared by any number of requests.
//   Vocabulary  the tokens of one tokenizer, by their bytes. Immutable; one per base.
//   Matcher     where one answer stands. One thread at a time; copies are cheap and independent.
//
// What follows the masks to the end is a text of the grammar, for whichever tokens were chosen: the
// automaton holds no state from which the end cannot be reached. Everything foreign is bounded: a
// grammar that is too large, refers to itself without reading a byte, or can never end is refused
// when it is compiled; one that needs too much memory or time for a mask ends its own request.
// The languages are described in docs/formats/grammar.md.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "text/tokenizer.h"

namespace plinth::grammar {

class Tables;
class Trie;
struct CallSpec;
struct Network;

class Vocabulary {
 public:
  // Tokens with the same bytes are all offered. Special, unknown and unused tokens and tokens
  // without bytes never are. Takes tens of milliseconds for 150,000 tokens.
  static std::shared_ptr<const Vocabulary> create(const text::Tokenizer& tokenizer);

  ~Vocabulary();

  // Ids, as of the tokenizer.
  int32_t size() const { return static_cast<int32_t>(tokens_.size()); }

  // Empty: a token that is never offered.
  std::string_view bytes(int32_t token) const { return tokens_[static_cast<size_t>(token)]; }

  // By length: of kAlikeBytes (network.h), the last of the longer tokens.
  std::span<const Trie> tries() const;

 private:
  Vocabulary();
  std::vector<std::string> tokens_;
  std::vector<Trie> tries_;
};

class Grammar {
 public:
  // The text of a GBNF grammar; the answer is what its rule `root` describes.
  static Result<std::shared_ptr<const Grammar>> from_gbnf(std::string_view gbnf);

  // The text of a JSON Schema; the answer is one JSON text that the schema allows, its properties
  // in the order in which the schema lists them. A schema of {"type": "object"} is any JSON object.
  //
  // Understood: type (also several), enum, const, nullable; properties, required,
  // additionalProperties; items, prefixItems, minItems, maxItems; minLength, maxLength, pattern,
  // format (date, time, date-time, uuid); minimum, maximum, exclusiveMinimum, exclusiveMaximum with
  // whole numbers; anyOf, oneOf (as anyOf), allOf of schemas that do not contradict each other;
  // $ref to places of the same schema, also recursive. Annotations are skipped, and anything else
  // is refused by its keyword and its JSON pointer.
  static Result<std::shared_ptr<const Grammar>> from_schema(std::string_view schema);

  // Calls of functions, as a family of models writes them; see calls.h.
  static Result<std::shared_ptr<const Grammar>> from_calls(const CallSpec& spec);

  ~Grammar();

  const Network& network() const { return *network_; }

  // Of the automaton and of the masks kept so far; the masks never take more than some 48 MiB.
  size_t memory_bytes() const;

 private:
  friend class Matcher;
  explicit Grammar(std::unique_ptr<const Network> network);

  // The tables that matchers of this vocabulary share; fresh ones when `full` are the current ones.
  std::shared_ptr<Tables> tables(const std::shared_ptr<const Vocabulary>& vocabulary,
                                 const Tables* full) const;

  std::unique_ptr<const Network> network_;
  mutable std::mutex mutex_;                // guards what follows
  mutable std::shared_ptr<Tables> tables_;  // of the vocabulary that was asked for last
};

class Matcher {
 public:
  // kInvalidArgument when the vocabulary has no token for a byte that the grammar can need.
  static Result<Matcher> create(std::shared_ptr<const Grammar> grammar,
                                std::shared_ptr<const Vocabulary> vocabulary);

  // Bit t of word t / 64: token t may come next. Valid until the next call. Tokens that end an
  // answer are not among them: they may come when can_end(). kResourceExhausted when the grammar
  // is so ambiguous that the mask would take too much memory or time.
  Result<std::span<const uint64_t>> mask();

  // The token was taken. kInvalidArgument, and nothing has changed, when the mask does not have it.
  Status accept(int32_t token);

  // What was accepted is a text of the grammar.
  bool can_end() const { return can_end_; }

  // It is, and nothing can follow.
  bool complete() const { return complete_; }

 private:
  Matcher(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const Vocabulary> vocabulary);
  void stand(int32_t state);
  void renew();

  std::shared_ptr<const Grammar> grammar_;        // shared with the other requests that use it
  std::shared_ptr<const Vocabulary> vocabulary_;  // shared with the engine
  std::shared_ptr<Tables> tables_;                // shared with the other matchers of the grammar
  int32_t state_ = 0;
  bool can_end_ = false;
  bool complete_ = false;
  std::vector<uint64_t> mask_;
};

// Compiled schemas by their text, the most recently used ones: clients send the same few again and
// again, and the masks that one request has computed serve the next. Any thread.
class SchemaCache {
 public:
  struct Limits {
    size_t entries = 64;
    size_t bytes = size_t{256} << 20;  // looked at when a schema comes in
  };

  SchemaCache() = default;

  explicit SchemaCache(const Limits& limits) : limits_(limits) {}

  Result<std::shared_ptr<const Grammar>> get(std::string_view schema);

  // The same for a grammar that is made in another way; `key` is all that it depends on.
  using Make = std::function<Result<std::shared_ptr<const Grammar>>()>;
  Result<std::shared_ptr<const Grammar>> get(std::string_view key, const Make& make);

 private:
  using Entry = std::pair<std::string, std::shared_ptr<const Grammar>>;

  Limits limits_;
  std::mutex mutex_;
  std::list<Entry> entries_;  // the most recently used first
};

}  // namespace plinth::grammar
