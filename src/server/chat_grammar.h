// What the answer to a chat request may be: its response_format and its tools as one grammar.
#pragma once

#include <memory>
#include <string>

#include "grammar/grammar.h"
#include "server/chat_request.h"

namespace plinth::server {

// Null: any text. A tool's schema that grammars don't know is an error when the tool is strict;
// otherwise its calls have any JSON object for arguments. On an error `param` is the field at
// fault.
Result<std::shared_ptr<const grammar::Grammar>> answer_grammar(grammar::SchemaCache& cache,
                                                               const text::Tokenizer& tokenizer,
                                                               const ChatRequest& request,
                                                               ToolStyle style, std::string& param);

}  // namespace plinth::server
