#include "server/chat.h"

#include <algorithm>
#include <string_view>

#include "core/hash.h"
#include "text/chat_text.h"

namespace plinth::server {
namespace {

constexpr int64_t kCitations = 3;

// The release's system prompt comes before what the client says as system.
void add_system_prompt(std::vector<Message>& messages, const std::string& system_prompt) {
  if (system_prompt.empty()) return;
  if (!messages.empty() && messages.front().role == "system")
    messages.front().content = system_prompt + "\n\n" + messages.front().content;
  else
    messages.insert(messages.begin(), {.role = "system", .content = system_prompt});
}

std::string with_passages(const std::vector<knowledge::Hit>& hits, const std::string& question) {
  std::string text = "参考资料：\n";
  int index = 1;
  for (const knowledge::Hit& hit : hits) {
    const knowledge::Citation& passage = hit.citation;
    text += fmt::format("[{}] {} {}\n{}\n", index++, passage.title, passage.section, passage.text);
  }
  return text + "\n问题：" + question;
}

// Mistral's template takes ids of nine letters and digits only, whatever the client made of them.
std::string call_id(const std::string& id, ToolStyle style) {
  constexpr size_t kMistralDigits = 9;
  if (style != ToolStyle::kMistral || id.size() == kMistralDigits) return id;
  return sha256_hex(id).substr(0, kMistralDigits);
}

text::OrderedJson turns_of(const std::vector<Message>& messages) {
  text::OrderedJson turns = text::OrderedJson::array();
  for (const Message& message : messages) {
    text::OrderedJson turn = {{"role", message.role}, {"content", message.content}};
    if (!message.name.empty()) turn["name"] = message.name;
    if (!message.tool_calls.is_null()) turn["tool_calls"] = message.tool_calls;
    if (message.role == "tool") turn["tool_call_id"] = message.tool_call_id;
    turns.push_back(std::move(turn));
  }
  return turns;
}

// Ids as the family's template takes them.
void fit_call_ids(text::OrderedJson& turns, ToolStyle style) {
  for (text::OrderedJson& turn : turns) {
    if (turn.contains("tool_calls"))
      for (text::OrderedJson& call : turn["tool_calls"])
        call["id"] = call_id(call["id"].get<std::string>(), style);
    if (turn["role"] == "tool")
      turn["tool_call_id"] = call_id(turn["tool_call_id"].get<std::string>(), style);
  }
}

}  // namespace

Result<text::ChatText> render_turns(const ChatForm& form, text::OrderedJson turns,
                                    const ToolRequest& tools, bool add_generation_prompt) {
  fit_call_ids(turns, form.style);
  text::ChatOptions options{.add_generation_prompt = add_generation_prompt};
  if (form.style == ToolStyle::kPrompted)
    write_tools_out(turns, tools);
  else if (tools.offered())
    options.tools = tools.json;
  return text::render_chat(form.chat_template, form.tokenizer, turns, std::move(options));
}

Result<PreparedChat> prepare_chat(const DomainModel& model, const text::Tokenizer& tokenizer,
                                  std::vector<Message> messages, const ToolRequest& tools) {
  if (model.chat_template == nullptr)
    return make_error(Code::kFailedPrecondition, "model {} has no chat template", model.name);
  PreparedChat prepared;
  const auto question = std::find_if(messages.rbegin(), messages.rend(),
                                     [](const Message& message) { return message.role == "user"; });
  if (model.knowledge != nullptr && question != messages.rend()) {
    prepared.citations = model.knowledge->search(question->content, kCitations);
    if (model.knowledge_in_prompt && !prepared.citations.empty())
      question->content = with_passages(prepared.citations, question->content);
  }
  add_system_prompt(messages, model.system_prompt);
  prepared.stop_tokens = text::turn_ends(tokenizer);
  PLINTH_TRY(const auto chat, render_turns({*model.chat_template, model.tool_style, tokenizer},
                                           turns_of(messages), tools,
                                           /*add_generation_prompt=*/true));
  prepared.prompt = text::encode_chat(chat, tokenizer);
  if (tools.forced()) {
    const auto opening = call_opening(tokenizer, model.tool_style);
    prepared.prompt.insert(prepared.prompt.end(), opening.begin(), opening.end());
  }
  return prepared;
}

Json citations_json(const std::vector<knowledge::Hit>& citations) {
  Json all = Json::array();
  for (const knowledge::Hit& hit : citations) {
    const knowledge::Citation& passage = hit.citation;
    all.push_back({{"index", all.size() + 1},
                   {"document", passage.document_id},
                   {"title", passage.title},
                   {"section", passage.section},
                   {"source", passage.source_path},
                   {"source_sha256", passage.source_sha256},
                   {"span", {passage.begin, passage.end}},
                   {"page", passage.page > 0 ? Json(passage.page) : Json()},
                   {"score", hit.score},
                   {"text", passage.text}});
  }
  return all;
}

}  // namespace plinth::server
