#include "server/chat_grammar.h"

namespace plinth::server {
namespace {

using GrammarPtr = std::shared_ptr<const grammar::Grammar>;

// All that a grammar of calls depends on.
std::string key_of(const grammar::CallSpec& spec) {
  std::string key =
      fmt::format("calls {} {}\n{}\n{}\n{}\n{}\n", spec.calls_max, spec.text_schema.size(),
                  spec.text_schema, spec.trigger, spec.between, spec.after);
  for (const auto& function : spec.functions)
    key += fmt::format("{} {}\n{}\n", function.before, function.schema.size(), function.schema);
  return key;
}

// A schema that grammars don't know gives way to any object, where that is allowed.
Status loosen_schemas(grammar::SchemaCache& cache, ToolRequest& tools) {
  for (size_t i = 0; i < tools.tools.size(); ++i) {
    Tool& tool = tools.tools[i];
    const auto known = cache.get(tool.parameters);
    if (known) continue;
    if (tool.strict)
      return Error{known.error().code,
                   fmt::format("tools[{}].function.parameters: {}", i, known.error().message)};
    tool.parameters = R"({"type":"object"})";
  }
  return {};
}

}  // namespace

Result<GrammarPtr> answer_grammar(grammar::SchemaCache& cache, const text::Tokenizer& tokenizer,
                                  const ChatRequest& request, ToolStyle style, std::string& param) {
  param = "response_format";
  const auto format = [&]() -> Result<GrammarPtr> {
    if (request.schema.empty()) return GrammarPtr();
    return cache.get(request.schema);
  };
  if (!request.tools.offered()) return format();
  // Nothing marks the beginning of a call, or a token does that no grammar can offer: then calls
  // are free to come, and are read as they are.
  const std::string_view trigger = tool_trigger(style);
  const bool triggered = !trigger.empty() && tokenizer.special_id(trigger) < 0;
  if (!request.tools.forced() && !triggered) {
    if (!request.schema.empty())
      return invalid("response_format: with this model only without tools");
    return GrammarPtr();
  }
  PLINTH_TRY(format());  // its own errors first
  param = "tools";
  ToolRequest tools = request.tools;
  PLINTH_TRY(loosen_schemas(cache, tools));
  const auto spec = call_spec(tools, style, !tools.forced(), request.schema);
  return cache.get(key_of(spec), [&] { return grammar::Grammar::from_calls(spec); });
}

}  // namespace plinth::server
