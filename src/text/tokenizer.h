// Tokenizers: text to token ids and back, exactly as the model was trained with.
//
// Byte-level BPE (GPT-2, Qwen, Llama 3, SmolLM, Hunyuan, and the tokenizers that `plinth pretrain`
// trains), BPE over characters with byte fallback (Llama 2, Mistral, ERNIE 4.5) and Unigram, from
// tokenizer.json, SentencePiece's tokenizer.model, or a vocabulary that a GGUF file carries.
// Immutable and safe to share between threads once built.
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

enum class Algorithm : uint8_t {
  kByteBpe,  // merges over bytes; tokens are written in the GPT-2 byte alphabet
  kBpe,      // merges over characters, as SentencePiece's BPE; "▁" stands for a space
  kUnigram,  // the segmentation of highest score, as SentencePiece's Unigram
};

// When a space is put before a text, so that its first word is spelled like all others.
enum class SpacePrefix : uint8_t {
  kNone,
  kAlways,       // before each stretch between special tokens, whatever it begins with
  kUnlessThere,  // the same, where the stretch does not begin with a space
  kFirst,        // as kUnlessThere, but only at the very beginning of the text
};

// How one added token is looked for, where that is not the plain way.
struct Matching {
  int32_t id = -1;
  bool left = false;        // takes the white space before it
  bool right = false;       // takes the white space after it
  bool word = false;        // only where neither neighbour is a word character
  bool normalized = false;  // is looked for in the normalised text
};

// What defines a tokenizer, independent of the file it came from.
struct TokenizerSpec {
  Algorithm algorithm = Algorithm::kByteBpe;
  // Index = id; empty: an id without a token. For kByteBpe in the GPT-2 byte alphabet (each byte
  // shown as one printable character), else plain UTF-8.
  std::vector<std::string> tokens;
  // Merges "left right" in rank order. For kBpe they may be left out: then `scores` decide.
  std::vector<std::string> merges;
  // One per token: kUnigram always, kBpe without merges (the highest score merges first).
  std::vector<float> scores;
  // Ids of tokens that are never produced from plain text pieces and are matched whole
  // ("<|im_start|>"). Their text in `tokens` is literal, not in the byte alphabet.
  std::vector<int32_t> special;
  // Ids that are matched whole like special ones, but are part of the visible text: they are always
  // recognised, and decode() always writes them ("<think>", "<tool_call>"). Literal too.
  std::vector<int32_t> user_defined;
  // Ids that merges may pass through but that are never produced (SentencePiece's UNUSED).
  std::vector<int32_t> unused;
  std::vector<Matching> matching;  // only of added tokens that need it

  // How text is split before BPE: a name of splits_named() (GGUF's tokenizer.ggml.pre), or empty:
  // then `splits` has the regular expressions, applied one after the other.
  std::string pre = "qwen2";
  std::vector<std::string> splits;
  bool ignore_merges = false;  // kByteBpe: a piece that is a token is taken without merging

  bool nfc = false;            // text is brought to Unicode NFC first (Qwen's tokenizer.json)
  std::string charsmap;        // SentencePiece's precompiled normalisation; empty: none
  bool trim_spaces = false;    // none at either end of a text, one where there are several
  bool escape_spaces = false;  // " " is "▁" in tokens
  SpacePrefix prefix = SpacePrefix::kNone;
  bool prefix_at_end = false;     // the space of `prefix` goes behind the text instead
  bool words = false;             // no piece crosses the beginning of a word ("▁" begins one)
  bool drop_first_space = false;  // decode() takes back what `prefix` put
  // SentencePiece's own way with user-defined tokens: normalisation goes around them, and they are
  // found afterwards. Otherwise the text is cut at them first.
  bool sentencepiece = false;

  bool byte_fallback = false;  // characters without a token become "<0xE4>" tokens
  bool fuse_unknown = false;   // neighbouring unknown characters are one token
  int32_t unknown = -1;        // -1: unknown characters are left out
  std::string unknown_text;    // what decode() writes for it

  // What the model expects around a whole text: encode_whole() adds it, encode() does not.
  std::vector<int32_t> before;
  std::vector<int32_t> after;
  int32_t bos = -1;  // -1: none
  int32_t eos = -1;
  int32_t pad = -1;
};

class Tokenizer {
 public:
  // Checks everything: duplicate tokens, merges of unknown tokens, bytes without a token.
  static Result<std::shared_ptr<const Tokenizer>> from_spec(TokenizerSpec spec);
  // The text of a Hugging Face tokenizer.json (model.type BPE or Unigram).
  static Result<std::shared_ptr<const Tokenizer>> from_json(std::string_view tokenizer_json);
  // The bytes of a SentencePiece model file (tokenizer.model: BPE or Unigram).
  static Result<std::shared_ptr<const Tokenizer>> from_sentencepiece(std::string_view model);

  virtual ~Tokenizer() = default;

  // `parse_special` matches special tokens; off for untrusted text: nobody can forge a turn. Never
  // fails. Byte-level BPE keeps broken UTF-8 (a byte that its vocabulary lacks becomes U+FFFD); the
  // other algorithms read each broken byte as U+FFFD, as SentencePiece does.
  virtual std::vector<int32_t> encode(std::string_view text, bool parse_special) const = 0;

  // As encode(text, false) for text that goes on after other tokens: SpacePrefix::kFirst is off.
  virtual std::vector<int32_t> encode_more(std::string_view text) const {
    return encode(text, false);
  }

  // Bytes of the ids; ids out of range contribute nothing. `with_special` writes special tokens
  // out. Byte tokens give their bytes, whether they form characters or not.
  virtual std::string decode(std::span<const int32_t> ids, bool with_special = false) const = 0;

  // As decode() for ids in the middle of a text: no leading space is taken back.
  virtual std::string decode_more(std::span<const int32_t> ids) const { return decode(ids); }

  // A whole text as the model was trained to see it, with its BOS and EOS.
  std::vector<int32_t> encode_whole(std::string_view text, bool parse_special) const;

  virtual int32_t size() const = 0;
  virtual int32_t bos() const = 0;
  virtual int32_t eos() const = 0;
  virtual bool is_special(int32_t id) const = 0;
  // The id of a special token by its text, -1 when there is none.
  virtual int32_t special_id(std::string_view text) const = 0;

  // The definition, for writing files.
  virtual const TokenizerSpec& spec() const = 0;
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
Result<TokenizerSpec> train_bpe(std::span<const std::string_view> texts,
                                const BpeTraining& options);

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
  bool begun_ = false;  // some text has come: leading spaces are text from now on
};

}  // namespace plinth::text
