#include "server/chat_format.h"

#include <optional>
#include <utility>
#include <vector>

#include "server/tool_parser.h"

namespace plinth::server {
namespace {

class ChatFormat : public AnswerFormat {
 public:
  ChatFormat(const text::Tokenizer& tokenizer, AnswerHead head, const ChatRequest& request,
             ToolStyle style, Json citations)
      : tokenizer_(tokenizer),
        head_(std::move(head)),
        logprobs_(request.logprobs),
        include_usage_(request.include_usage) {
    answer_.citations = std::move(citations);
    answer_.choices.resize(static_cast<size_t>(request.n));
    for (Choice& choice : answer_.choices)
      if (logprobs_) choice.logprobs = Json::array();
    if (!request.tools.offered()) return;
    std::vector<std::string> names;
    for (const Tool& tool : request.tools.tools) names.push_back(tool.name);
    trigger_ = tokenizer.special_id(tool_trigger(style));
    parsers_.assign(answer_.choices.size(),
                    ToolParser(style, names, request.tools.forced(), !request.tools.parallel));
  }

  void take(size_t index, const engine::Event& event) override {
    Choice& choice = answer_.choices[index];
    const auto piece = read(index, event);
    choice.text += piece.content;
    for (const auto& call : piece.calls) {
      if (!call.id.empty())
        choice.tool_calls.push_back({{"id", call.id},
                                     {"type", "function"},
                                     {"function", {{"name", call.name}, {"arguments", ""}}}});
      auto& arguments = choice.tool_calls.back()["function"]["arguments"];
      arguments = arguments.get<std::string>() + call.arguments;
    }
    if (wants_logprob(event)) choice.logprobs.push_back(logprob_json(tokenizer_, event));
  }

  Json whole(const Outcome& outcome) override {
    for (size_t i = 0; i < answer_.choices.size(); ++i) {
      answer_.choices[i].reason = outcome.reasons[i];
      answer_.choices[i].filtered = outcome.filtered[i];
    }
    answer_.usage = outcome.usage;
    return whole_json(head_, answer_);
  }

  std::string begin() override {
    std::string text;
    for (size_t i = 0; i < answer_.choices.size(); ++i)
      text += chunk({{"index", i}, {"delta", {{"role", "assistant"}, {"content", ""}}}});
    return text;
  }

  std::string piece(size_t index, const engine::Event& event) override {
    const auto piece = read(index, event);
    const bool scored = wants_logprob(event);
    if (piece.empty() && !scored) return "";
    Json delta = Json::object();
    if (!piece.content.empty() || piece.calls.empty()) delta["content"] = piece.content;
    for (const auto& call : piece.calls) {
      Json json = {{"index", call.index}, {"function", {{"arguments", call.arguments}}}};
      if (!call.id.empty()) {
        json["id"] = call.id;
        json["type"] = "function";
        json["function"]["name"] = call.name;
      }
      delta["tool_calls"].push_back(std::move(json));
    }
    Json choice = {{"index", index}, {"delta", std::move(delta)}};
    if (scored) choice["logprobs"] = {{"content", Json::array({logprob_json(tokenizer_, event)})}};
    return chunk(std::move(choice));
  }

  std::string end(const Outcome& outcome) override {
    Json delta = Json::object();
    if (!answer_.citations.is_null()) delta["citations"] = answer_.citations;
    std::string text;
    for (size_t i = 0; i < outcome.reasons.size(); ++i) {
      const bool called = !parsers_.empty() && parsers_[i].calls() > 0;
      text +=
          chunk({{"index", i},
                 {"delta", delta},
                 {"finish_reason", finish_name(outcome.reasons[i], called, outcome.filtered[i])}});
    }
    if (include_usage_) text += sse(usage_chunk_json(head_, outcome.usage));
    return text;
  }

 private:
  ToolParser::Piece read(size_t index, const engine::Event& event) {
    if (parsers_.empty()) return {.content = event.text};
    ToolParser& parser = parsers_[index];
    auto piece = parser.push(event.text, event.id >= 0 && event.id == trigger_);
    if (!event.finished) return piece;
    auto rest = parser.finish();
    piece.content += rest.content;
    for (auto& call : rest.calls) piece.calls.push_back(std::move(call));
    return piece;
  }

  // The token that ends an answer (eos) is not part of it.
  bool wants_logprob(const engine::Event& event) const {
    return logprobs_ && event.id >= 0 && !tokenizer_.is_special(event.id);
  }

  std::string chunk(Json choice) const {
    return sse(chunk_json(head_, std::move(choice), include_usage_));
  }

  const text::Tokenizer& tokenizer_;  // of the engine's model
  const AnswerHead head_;
  const bool logprobs_;
  const bool include_usage_;
  int32_t trigger_ = -1;             // the token that begins calls, where one does
  std::vector<ToolParser> parsers_;  // by choice; none without tools
  WholeAnswer answer_;
};

}  // namespace

std::unique_ptr<AnswerFormat> chat_format(const text::Tokenizer& tokenizer, AnswerHead head,
                                          const ChatRequest& request, ToolStyle style,
                                          Json citations) {
  return std::make_unique<ChatFormat>(tokenizer, std::move(head), request, style,
                                      std::move(citations));
}

}  // namespace plinth::server
