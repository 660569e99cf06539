// From a conversation to a prompt, for one domain model: its system prompt, the passages of its
// knowledge that bear on the question, its template. The API and the command line both come here.
#pragma once

#include <cstdint>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "knowledge/knowledge.h"
#include "server/chat_request.h"
#include "server/domain_models.h"
#include "text/chat_text.h"

namespace plinth::server {

struct PreparedChat {
  std::vector<int32_t> prompt;       // with forced tools it ends in the beginning of a call
  std::vector<int32_t> stop_tokens;  // text::turn_ends()
  // Passages that bear on the last user message, best first; empty without knowledge. They are in
  // the prompt only if the release says so: a small base answers better from its tuned weights.
  std::vector<knowledge::Hit> citations;
};

// How a base writes conversations; all of it outlives the call.
struct ChatForm {
  const text::ChatTemplate& chat_template;
  ToolStyle style = ToolStyle::kPrompted;  // of the template
  const text::Tokenizer& tokenizer;
};

// The text that a model reads for these turns: the one place where it is made, for the API, the
// command line and training, so that a model is asked in the form in which it was taught. Turns
// are objects {"role", "content"}, of an assistant with "tool_calls" whose arguments are objects,
// of a tool with "tool_call_id".
Result<text::ChatText> render_turns(const ChatForm& form, text::OrderedJson turns,
                                    const ToolRequest& tools, bool add_generation_prompt);

// kFailedPrecondition when the model has no chat template.
Result<PreparedChat> prepare_chat(const DomainModel& model, const text::Tokenizer& tokenizer,
                                  std::vector<Message> messages, const ToolRequest& tools = {});

// [{"index", "document", "title", "section", "source", "source_sha256", "span": [begin, end],
//   "page", "score", "text"}]: index from 1, as in the prompt; page null where there is none.
Json citations_json(const std::vector<knowledge::Hit>& citations);

}  // namespace plinth::server
