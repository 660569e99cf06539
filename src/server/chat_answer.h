// The JSON of answers, above all of chat completions, whole and as stream chunks. Pure: events in,
// JSON texts out.
#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "engine/engine.h"
#include "server/domain_models.h"
#include "server/router.h"
#include "text/tokenizer.h"

namespace plinth::server {

// What all JSON of one answer shares.
struct AnswerHead {
  std::string id = {};           // "chatcmpl-..."
  std::string model = {};        // as the client called it
  std::string fingerprint = {};  // short digest of the release that answers
  int64_t created_s = 0;
};

// A head for this call's answer; `prefix` is the kind of its id ("chatcmpl-").
AnswerHead answer_head(std::string_view prefix, const Call& call, const DomainModel& release,
                       const std::string& model);

// What every answer and chunk begins with: id, object, created, model, system_fingerprint.
Json envelope(const AnswerHead& head, std::string_view object);

// "stop" ("tool_calls" when tools were called), "length", "cancelled", "error"; the last two are
// never seen by a client, only by the ledger. "content_filter" when the answer was cut off by it.
std::string_view finish_name(engine::FinishReason reason, bool called = false,
                             bool filtered = false);

Json usage_json(const engine::Usage& usage);

// {"token", "logprob", "bytes", "top_logprobs"} of an event that took a token.
Json logprob_json(const text::Tokenizer& tokenizer, const engine::Event& event);

// One chunk; `choice` is {"index", "delta", ...} and gets its finish_reason (null unless given).
// With include_usage every chunk but the last has usage null.
Json chunk_json(const AnswerHead& head, Json choice, bool include_usage);
// Of a stream's last chunk, which has no choices.
Json usage_chunk_json(const AnswerHead& head, const engine::Usage& usage,
                      std::string_view object = "chat.completion.chunk");

struct Choice {
  std::string text = {};
  engine::FinishReason reason = engine::FinishReason::kStop;
  bool filtered = false;
  Json logprobs = nullptr;          // array of logprob_json, or null
  Json tool_calls = Json::array();  // [{"id", "type", "function": {"name", "arguments"}}]
};

struct WholeAnswer {
  std::vector<Choice> choices = {};
  engine::Usage usage = {};  // the prompt once, the tokens of all choices
  Json citations = nullptr;  // citations_json, or null without knowledge
};

Json whole_json(const AnswerHead& head, const WholeAnswer& answer);

// "data: {json}\n\n"
std::string sse(const Json& json);

}  // namespace plinth::server
