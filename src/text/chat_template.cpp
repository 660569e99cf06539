#include "text/chat_template.h"

#include "text/jinja/eval.h"
#include "text/jinja/parser.h"

namespace plinth::text {

namespace {

constexpr size_t kSourceBytesMax = size_t{1} << 20;

// How deep messages may nest; the JSON parsers in front refuse more than 64.
constexpr int kJsonDepthMax = 80;

bool too_deep(const OrderedJson& json, int depth) {
  if (depth > kJsonDepthMax) return true;
  if (json.is_structured())
    for (const auto& item : json)
      if (too_deep(item, depth + 1)) return true;
  return false;
}

}  // namespace

Result<ChatTemplate> ChatTemplate::parse(std::string_view source) {
  if (source.size() > kSourceBytesMax)
    return invalid("chat template: {} bytes is over {}", source.size(), kSourceBytesMax);
  PLINTH_TRY(jinja::Program program, jinja::parse(source));
  return ChatTemplate(std::make_shared<const jinja::Program>(std::move(program)));
}

Result<std::string> ChatTemplate::render(const OrderedJson& messages,
                                         const ChatOptions& options) const {
  if (!messages.is_array()) return invalid("chat template: messages are not an array");
  for (const OrderedJson* json : {&messages, &options.tools, &options.extra})
    if (too_deep(*json, 0))
      return invalid("chat template: the input is nested more than {} levels deep", kJsonDepthMax);
  const jinja::Limits limits;
  jinja::Heap heap(limits.budget);
  jinja::Map globals;
  const auto put = [&](std::string_view name, const OrderedJson& json) -> Status {
    PLINTH_TRY(const jinja::Value value, heap.from_json(json));
    globals.set(name, value);
    return {};
  };
  PLINTH_TRY(put("messages", messages));
  PLINTH_TRY(put("tools", options.tools));
  PLINTH_TRY(put("documents", nullptr));
  PLINTH_TRY(put("add_generation_prompt", options.add_generation_prompt));
  PLINTH_TRY(put("bos_token", options.bos));
  PLINTH_TRY(put("eos_token", options.eos));
  if (options.extra.is_object())
    for (const auto& [name, value] : options.extra.items()) PLINTH_TRY(put(name, value));
  return jinja::render(*program_, std::move(globals), heap, *options.clock, limits);
}

}  // namespace plinth::text
