#include "server/chat_answer.h"

#include "core/clock.h"

namespace plinth::server {
namespace {

constexpr size_t kFingerprintDigits = 12;

Json token_json(const text::Tokenizer& tokenizer, int32_t id, float logprob) {
  const std::string text = tokenizer.decode(std::vector<int32_t>{id}, true);
  Json bytes = Json::array();
  for (const char c : text) bytes.push_back(static_cast<unsigned char>(c));
  return {{"token", text}, {"logprob", logprob}, {"bytes", std::move(bytes)}};
}

}  // namespace

AnswerHead answer_head(std::string_view prefix, const Call& call, const DomainModel& release,
                       const std::string& model) {
  return {.id = std::string(prefix) + call.exchange->request().id,
          .model = model,
          .fingerprint = "fp_" + release.digest.substr(0, kFingerprintDigits),
          .created_s = system_clock().unix_ms() / 1000};
}

Json envelope(const AnswerHead& head, std::string_view object) {
  return {{"id", head.id},
          {"object", object},
          {"created", head.created_s},
          {"model", head.model},
          {"system_fingerprint", head.fingerprint}};
}

std::string_view finish_name(engine::FinishReason reason, bool called, bool filtered) {
  if (filtered) return "content_filter";
  switch (reason) {
    case engine::FinishReason::kStop:
      return called ? "tool_calls" : "stop";
    case engine::FinishReason::kLength:
      return "length";
    case engine::FinishReason::kCancelled:
      return "cancelled";
    case engine::FinishReason::kError:
      return "error";
  }
  return "error";
}

Json usage_json(const engine::Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}}}};
}

Json logprob_json(const text::Tokenizer& tokenizer, const engine::Event& event) {
  Json json = token_json(tokenizer, event.id, event.logprob);
  json["top_logprobs"] = Json::array();
  for (const auto& [id, logprob] : event.top)
    json["top_logprobs"].push_back(token_json(tokenizer, id, logprob));
  return json;
}

Json chunk_json(const AnswerHead& head, Json choice, bool include_usage) {
  Json chunk = envelope(head, "chat.completion.chunk");
  if (!choice.contains("finish_reason")) choice["finish_reason"] = nullptr;
  chunk["choices"] = Json::array({std::move(choice)});
  if (include_usage) chunk["usage"] = nullptr;
  return chunk;
}

Json usage_chunk_json(const AnswerHead& head, const engine::Usage& usage, std::string_view object) {
  Json chunk = envelope(head, object);
  chunk["choices"] = Json::array();
  chunk["usage"] = usage_json(usage);
  return chunk;
}

Json whole_json(const AnswerHead& head, const WholeAnswer& answer) {
  Json json = envelope(head, "chat.completion");
  json["choices"] = Json::array();
  for (const Choice& choice : answer.choices) {
    Json message = {{"role", "assistant"}, {"content", choice.text}, {"refusal", nullptr}};
    if (!choice.tool_calls.empty()) {
      message["tool_calls"] = choice.tool_calls;
      if (choice.text.empty()) message["content"] = nullptr;
    }
    if (!answer.citations.is_null()) message["citations"] = answer.citations;
    json["choices"].push_back(
        {{"index", json["choices"].size()},
         {"message", std::move(message)},
         {"logprobs", choice.logprobs.is_null() ? Json() : Json{{"content", choice.logprobs}}},
         {"finish_reason",
          finish_name(choice.reason, !choice.tool_calls.empty(), choice.filtered)}});
  }
  json["usage"] = usage_json(answer.usage);
  return json;
}

std::string sse(const Json& json) {
  return "data: " + to_text(json) + "\n\n";
}

}  // namespace plinth::server
