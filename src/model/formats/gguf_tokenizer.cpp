// The vocabulary inside a GGUF file. Source of keys, types and defaults: docs/gguf.md of
// ggml-org/ggml and src/llama-vocab.cpp of ggml-org/llama.cpp.
#include <cstdint>

#include "core/log.h"
#include "model/formats/tokenizer_files.h"
#include "model/loader.h"
#include "text/named_splits.h"
#include "text/spec_options.h"

namespace plinth::model {
namespace {

using text::Algorithm;
using text::SpacePrefix;

class Reader {
 public:
  Reader(const GgufFile& file, std::string_view name) : file_(file), name_(name) {}

  Result<text::TokenizerSpec> read() {
    PLINTH_TRY(const auto kind, file_.text("tokenizer.ggml.model"));
    PLINTH_TRY(read_tokens());
    if (kind == "gpt2") {
      PLINTH_TRY(read_byte_level());
    } else if (kind == "llama") {
      spec_.algorithm = Algorithm::kBpe;
      PLINTH_TRY(read_pieces());
    } else if (kind == "t5") {
      spec_.algorithm = Algorithm::kUnigram;
      PLINTH_TRY(read_pieces());
    } else {
      return make_error(Code::kUnimplemented,
                        "{}: tokenizer model '{}' is not supported (gpt2, llama and t5 are)", name_,
                        kind);
    }
    PLINTH_TRY(read_frame(kind));
    if (file_.has(kGgufTokenizerKey)) {
      PLINTH_TRY(const auto options, file_.text(kGgufTokenizerKey));
      PLINTH_TRY(in_file(name_, text::read_spec_options(options, spec_)));
    }
    return std::move(spec_);
  }

 private:
  bool is(size_t id, GgufTokenType type) const {
    return id < types_.size() && types_[id] == static_cast<int64_t>(type);
  }

  Status read_tokens() {
    PLINTH_TRY(auto tokens, file_.texts("tokenizer.ggml.tokens"));
    if (file_.has("tokenizer.ggml.token_type")) {
      PLINTH_TRY(types_, file_.integers("tokenizer.ggml.token_type"));
      if (types_.size() != tokens.size())
        return invalid("{}: {} token types for {} tokens", name_, types_.size(), tokens.size());
    }
    // Writers pad the vocabulary to the rows of the embedding; those ids have no text.
    while (!tokens.empty() && is(tokens.size() - 1, GgufTokenType::kUnused)) tokens.pop_back();
    spec_.tokens.assign(tokens.begin(), tokens.end());
    for (size_t id = 0; id < tokens.size(); ++id) {
      const auto number = static_cast<int32_t>(id);
      if (is(id, GgufTokenType::kControl)) spec_.special.push_back(number);
      if (is(id, GgufTokenType::kUserDefined)) spec_.user_defined.push_back(number);
      if (is(id, GgufTokenType::kUnused)) spec_.tokens[id].clear();
    }
    return {};
  }

  // GPT-2's way: merges over bytes.
  Status read_byte_level() {
    PLINTH_TRY(const auto merges, file_.texts("tokenizer.ggml.merges"));
    spec_.merges.assign(merges.begin(), merges.end());
    spec_.pre = "default";
    if (file_.has("tokenizer.ggml.pre")) {
      PLINTH_TRY(spec_.pre, own(file_.text("tokenizer.ggml.pre")));
    } else {
      log_warn("{}: no tokenizer.ggml.pre, text is split the default way", name_);
    }
    const auto splits = text::splits_named(spec_.pre);
    if (!splits)
      return make_error(Code::kUnimplemented, "{}: tokenizer.ggml.pre '{}' is not one of {}", name_,
                        spec_.pre, text::split_names());
    spec_.ignore_merges = splits->ignore_merges;
    // Every Qwen tokenizer.json asks for NFC, and GGUF has no standard key that would say so.
    PLINTH_TRY(const auto nfc, file_.integer_or(kGgufNfcKey, spec_.pre == "qwen2" ? 1 : 0));
    spec_.nfc = nfc != 0;
    return {};
  }

  // SentencePiece's way: scores, spaces as "▁", bytes as "<0xE4>".
  Status read_pieces() {
    spec_.pre.clear();
    if (file_.has("tokenizer.ggml.merges")) {
      PLINTH_TRY(const auto merges, file_.texts("tokenizer.ggml.merges"));
      spec_.merges.assign(merges.begin(), merges.end());
    }
    if (spec_.merges.empty() || spec_.algorithm == Algorithm::kUnigram) {
      PLINTH_TRY(spec_.scores, file_.floats("tokenizer.ggml.scores"));
      if (spec_.scores.size() < spec_.tokens.size())
        return invalid("{}: {} scores for {} tokens", name_, spec_.scores.size(),
                       spec_.tokens.size());
      spec_.scores.resize(spec_.tokens.size());
    }
    for (size_t id = 0; id < spec_.tokens.size(); ++id) {
      spec_.byte_fallback |= is(id, GgufTokenType::kByte);
      if (is(id, GgufTokenType::kUnknown)) spec_.unknown = static_cast<int32_t>(id);
    }
    if (spec_.unknown < 0) {
      PLINTH_TRY(spec_.unknown, token_id("tokenizer.ggml.unknown_token_id"));
    }
    if (file_.has("tokenizer.ggml.precompiled_charsmap")) {
      PLINTH_TRY(const auto bytes, file_.integers("tokenizer.ggml.precompiled_charsmap"));
      for (const int64_t byte : bytes) spec_.charsmap += static_cast<char>(byte);
    }
    PLINTH_TRY(const auto prefix, file_.integer_or("tokenizer.ggml.add_space_prefix", 1));
    PLINTH_TRY(const auto trim, file_.integer_or("tokenizer.ggml.remove_extra_whitespaces", 0));
    spec_.escape_spaces = true;
    spec_.prefix = prefix != 0 ? SpacePrefix::kAlways : SpacePrefix::kNone;
    spec_.drop_first_space = prefix != 0;
    spec_.trim_spaces = trim != 0;
    spec_.fuse_unknown = true;
    spec_.unknown_text = " \xE2\x81\x87 ";  // SentencePiece's default, " ⁇ "
    return {};
  }

  // The ids around a text. Where the file is silent, what its kind of vocabulary expects.
  Status read_frame(std::string_view kind) {
    PLINTH_TRY(spec_.bos, token_id("tokenizer.ggml.bos_token_id"));
    PLINTH_TRY(spec_.eos, token_id("tokenizer.ggml.eos_token_id"));
    PLINTH_TRY(spec_.pad, token_id("tokenizer.ggml.padding_token_id"));
    const auto splits = text::splits_named(spec_.pre);
    const bool begins = kind == "llama" || (splits && splits->add_bos);
    PLINTH_TRY(const auto bos, file_.integer_or("tokenizer.ggml.add_bos_token", begins ? 1 : 0));
    PLINTH_TRY(const auto eos,
               file_.integer_or("tokenizer.ggml.add_eos_token", kind == "t5" ? 1 : 0));
    if (bos != 0 && spec_.bos >= 0) spec_.before = {spec_.bos};
    if (eos != 0 && spec_.eos >= 0) spec_.after = {spec_.eos};
    return {};
  }

  // -1 when missing. Out of the vocabulary is an error.
  Result<int32_t> token_id(std::string_view key) const {
    if (!file_.has(key)) return int32_t{-1};
    PLINTH_TRY(const auto id, file_.integer(key));
    if (id < 0 || static_cast<uint64_t>(id) >= spec_.tokens.size())
      return invalid("{}: {} {} is outside a vocabulary of {}", name_, key, id,
                     spec_.tokens.size());
    return static_cast<int32_t>(id);
  }

  static Result<std::string> own(Result<std::string_view> text) {
    if (!text) return text.error();
    return std::string(*text);
  }

  const GgufFile& file_;
  std::string_view name_;
  text::TokenizerSpec spec_;
  std::vector<int64_t> types_;
};

}  // namespace

Result<std::shared_ptr<const text::Tokenizer>> read_gguf_tokenizer(const GgufFile& file,
                                                                   std::string_view name) {
  PLINTH_TRY(auto spec, Reader(file, name).read());
  return in_file(name, text::Tokenizer::from_spec(std::move(spec)));
}

}  // namespace plinth::model
