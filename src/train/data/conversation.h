// Rows of training files to conversations: the shapes that people keep them in, made one.
//
//   {"messages": [{"role", "content", "tool_calls"?, "tool_call_id"?}...], "tools"?: [...]}  OpenAI
//   {"conversations": [{"from", "value"}...], "system"?, "tools"?: [...] or its text}      ShareGPT
//        from: human or user, gpt or assistant, system, function_call, observation or tool
//   {"instruction", "input"?, "output", "system"?, "history"?: [[question, answer]...]}      Alpaca
//   {"query", "response", "system"?, "history"?: [[question, answer]...]}
//
// A row may also be a list of exactly one such object.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "text/chat_template.h"
#include "train/train.h"

namespace plinth::train {

// The row on a line. kInvalidArgument when it is no JSON object.
Result<text::OrderedJson> parse_row(std::string_view line);

// Its conversation, every message checked: a known role, a text, an assistant that says or calls
// something, arguments that are JSON objects. kInvalidArgument says which message is at fault.
Result<Conversation> conversation_of(const text::OrderedJson& row);

// A turn of ShareGPT's ("from", "value") as a message of OpenAI's, not yet checked.
Result<text::OrderedJson> sharegpt_message(const text::OrderedJson& turn);

// Everything that is said in it, a message a line: what is compared with suites.
std::string text_of(const Conversation& conversation);

}  // namespace plinth::train
