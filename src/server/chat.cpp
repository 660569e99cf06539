#include "server/chat.h"

#include <algorithm>
#include <string_view>

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

}  // namespace

Result<PreparedChat> prepare_chat(const DomainModel& model, const text::Tokenizer& tokenizer,
                                  std::vector<Message> messages) {
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
  text::OrderedJson turns = text::OrderedJson::array();
  for (const Message& message : messages)
    turns.push_back({{"role", message.role}, {"content", message.content}});
  PLINTH_TRY(const auto chat, text::render_chat(*model.chat_template, tokenizer, turns,
                                                {.add_generation_prompt = true}));
  prepared.prompt = text::encode_chat(chat, tokenizer);
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
