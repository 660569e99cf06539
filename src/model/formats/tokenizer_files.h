// Tokenizers out of the files that bases come with.
#pragma once

#include <memory>
#include <string_view>

#include "core/file.h"
#include "core/json.h"
#include "core/result.h"
#include "model/formats/gguf_header.h"
#include "model/formats/gguf_reader.h"
#include "text/tokenizer.h"

namespace plinth::model {

// The vocabulary that a GGUF file carries (tokenizer.ggml.*): models gpt2, llama and t5. `name`
// begins every message.
Result<std::shared_ptr<const text::Tokenizer>> read_gguf_tokenizer(const GgufFile& file,
                                                                   std::string_view name);

// The same keys of a file to be, with one token for each row of the embedding.
void put_gguf_tokenizer(const text::TokenizerSpec& spec, int64_t vocabulary, GgufHeader& out);

// tokenizer.json of a Hugging Face folder, else tokenizer.model (SentencePiece), else vocab.json
// with merges.txt. `tokenizer_config` and `config` say which tokens begin and end a text.
Result<std::shared_ptr<const text::Tokenizer>> read_folder_tokenizer(const Path& folder,
                                                                     const Json& tokenizer_config,
                                                                     const Json& config);

}  // namespace plinth::model
