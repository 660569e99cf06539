// Functions that a model may call: the request's part of it, and how each family of chat templates
// writes calls. What comes back is read by tool_parser.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "grammar/calls.h"
#include "server/request_fields.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace plinth::server {

struct Tool {
  std::string name = {};
  std::string parameters = {};  // JSON Schema, its properties in the client's order
  bool strict = false;          // a schema that we cannot hold is refused
};

struct ToolRequest {
  enum class Choice { kNone, kAuto, kRequired, kNamed };

  std::vector<Tool> tools = {};
  text::OrderedJson json = {};  // the tools as the template sees them
  Choice choice = Choice::kNone;
  std::string named = {};  // kNamed: one of the tools
  bool parallel = true;    // several calls in one answer

  // The model is told about its tools.
  bool offered() const { return choice != Choice::kNone; }

  // The answer is calls and nothing else.
  bool forced() const { return choice == Choice::kRequired || choice == Choice::kNamed; }
};

// tools, tool_choice and parallel_tool_calls of a chat request; `body` is its text.
Result<ToolRequest> parse_tools(const Fields& fields, std::string_view body);

// How a family writes its calls.
enum class ToolStyle {
  kHermes,    // <tool_call>{"name", "arguments"}</tool_call>, again for each: Hermes, Qwen, ERNIE
  kHunyuan,   // <tool_calls>[{"name", "arguments"}, ...]</tool_calls>
  kMistral,   // the token [TOOL_CALLS], then [{"name", "arguments"}, ...]
  kLlama,     // {"name", "parameters"}, the whole answer: Llama 3
  kPrompted,  // as kHermes, but the template knows nothing: the system prompt explains
};

// By what the template's text says; empty: kPrompted.
ToolStyle tool_style(std::string_view chat_template);

// What begins calls in an answer: "<tool_call>"; empty: nothing does (kLlama).
std::string_view tool_trigger(ToolStyle style);

// What a template that knows nothing of tools is given: the system message explains them, calls
// and results are written out as texts.
void write_tools_out(text::OrderedJson& messages, const ToolRequest& tools);

// What the answer may be. `triggered`: the calls' beginning is in the answer (otherwise the prompt
// ends with it). `text_schema`: of an answer that is no call; empty: any text.
grammar::CallSpec call_spec(const ToolRequest& tools, ToolStyle style, bool triggered,
                            const std::string& text_schema);

// Tokens of the trigger and what follows it up to the first call.
std::vector<int32_t> call_opening(const text::Tokenizer& tokenizer, ToolStyle style);

}  // namespace plinth::server
