// Tokenizers: text to token ids and back, exactly as the model was trained with.
//
// Byte-level BPE today (GPT-2, Qwen, Llama 3 families, and the tokenizers that `plinth pretrain`
// trains). Immutable and safe to share between threads once built.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"
#include "core/result.h"

namespace plinth::text {

// What defines a byte-level BPE tokenizer, independent of the file it came from.
struct BpeSpec {
  // Tokens in the GPT-2 byte alphabet (each byte shown as one printable character), index = id.
  std::vector<std::string> tokens;
  // Merges "left right" in rank order, same alphabet.
  std::vector<std::string> merges;
  // Ids of tokens that are never produced from plain text pieces and are matched whole
  // ("<|im_start|>"). Their text in `tokens` is literal, not in the byte alphabet.
  std::vector<int32_t> special;
  // Ids that are matched whole like special ones, but are part of the visible text: decode() always
  // writes them ("<think>", "<tool_call>"). Literal in `tokens` too.
  std::vector<int32_t> user_defined;
  // Which regular expression splits text before BPE: "gpt-2", "qwen2", "llama-bpe" (GGUF's
  // tokenizer.ggml.pre names).
  std::string pre = "qwen2";
  bool nfc = false;  // text is brought to Unicode NFC first (Qwen's tokenizer.json asks for it)
  int32_t bos = -1;  // -1: none
  int32_t eos = -1;
  int32_t pad = -1;
};

class Tokenizer {
 public:
  // Checks everything: duplicate tokens, merges of unknown tokens, bytes without a token.
  static Result<std::shared_ptr<const Tokenizer>> from_bpe(BpeSpec spec);
  // The text of a Hugging Face tokenizer.json (model.type BPE, byte-level).
  static Result<std::shared_ptr<const Tokenizer>> from_json(std::string_view tokenizer_json);

  virtual ~Tokenizer() = default;

  // `parse_special` matches special and user-defined tokens in the text; off for untrusted text, so
  // that a user cannot forge a turn. Never fails: any bytes have an encoding.
  virtual std::vector<int32_t> encode(std::string_view text, bool parse_special) const = 0;
  // Bytes of the ids; ids out of range contribute nothing. `with_special` writes special tokens
  // out.
  virtual std::string decode(std::span<const int32_t> ids, bool with_special = false) const = 0;

  virtual int32_t size() const = 0;
  virtual int32_t bos() const = 0;
  virtual int32_t eos() const = 0;
  virtual bool is_special(int32_t id) const = 0;
  // The id of a special token by its text, -1 when there is none.
  virtual int32_t special_id(std::string_view text) const = 0;

  // The definition, for writing files.
  virtual const BpeSpec& spec() const = 0;
  // The same tokenizer as a Hugging Face tokenizer.json.
  virtual std::string to_json() const = 0;
};

struct BpeTraining {
  int32_t vocabulary = 6144;  // including 256 byte tokens and the special tokens
  std::vector<std::string> special;
  std::string pre = "qwen2";
  int64_t pieces_max = 4'000'000;  // distinct pre-token pieces kept (the most frequent)
};

// Learns merges from texts: the most frequent pair first, ties by the smaller (left, right) ids, so
// the result depends on nothing but the input. Pieces never cross the pre-tokenizer's splits.
// Source: Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with Subword Units",
// ACL 2016.
Result<BpeSpec> train_bpe(std::span<const std::string_view> texts, const BpeTraining& options);

// Incremental decoding for streams: bytes of an unfinished UTF-8 character wait for the next token.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}

  // Text that is complete after this token; may be empty.
  std::string push(int32_t id);
  // What is left, with broken bytes replaced by U+FFFD.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;  // outlives the stream: the model is held by the request
  std::string pending_;
};

}  // namespace plinth::text
