#include "server/completion_format.h"

#include "text/unicode.h"

namespace plinth::server {
namespace {

// A prompt is shown as it was tokenised, with the special tokens that it spelt.
std::string text_of(const text::Tokenizer& tokenizer, const std::vector<int32_t>& tokens) {
  return tokenizer.decode(tokens, true);
}

class CompletionFormat : public AnswerFormat {
 public:
  CompletionFormat(const text::Tokenizer& tokenizer, AnswerHead head,
                   const CompletionRequest& request, const std::vector<ReadPrompt>& prompts)
      : tokenizer_(tokenizer),
        head_(std::move(head)),
        logprobs_(request.logprobs),
        include_usage_(request.include_usage),
        choices_(request.prompts.size() * static_cast<size_t>(request.n)) {
    for (size_t i = 0; i < choices_.size() && !prompts.empty(); ++i)
      echo(choices_[i], prompts[i / static_cast<size_t>(request.n)]);
  }

  void take(size_t index, const engine::Event& event) override {
    Choice& choice = choices_[index];
    choice.text += event.text;
    if (logprobs_ && event.id >= 0)
      choice.lists.add(tokenizer_, event.id, event.logprob, event.top);
  }

  Json whole(const Outcome& outcome) override {
    Json json = envelope(head_, "text_completion");
    json["choices"] = Json::array();
    for (size_t i = 0; i < choices_.size(); ++i)
      json["choices"].push_back(
          choice_json(i, finish_name(outcome.reasons[i], false, outcome.filtered[i])));
    json["usage"] = usage_json(outcome.usage);
    return json;
  }

  std::string begin() override {
    std::string text;
    for (size_t i = 0; i < choices_.size(); ++i)
      if (!choices_[i].text.empty()) text += chunk(i, nullptr);
    return text;
  }

  std::string piece(size_t index, const engine::Event& event) override {
    take(index, event);
    const bool scored = logprobs_ && event.id >= 0;
    return choices_[index].text.empty() && !scored ? "" : chunk(index, nullptr);
  }

  std::string end(const Outcome& outcome) override {
    std::string text;
    for (size_t i = 0; i < choices_.size(); ++i)
      text += chunk(i, finish_name(outcome.reasons[i], false, outcome.filtered[i]));
    if (include_usage_) text += sse(usage_chunk_json(head_, outcome.usage, "text_completion"));
    return text;
  }

 private:
  struct Choice {
    std::string text = {};
    LogprobLists lists = {};
  };

  void echo(Choice& choice, const ReadPrompt& prompt) const {
    choice.text = text_of(tokenizer_, prompt.tokens);
    if (!logprobs_) return;
    for (size_t i = 0; i < prompt.tokens.size(); ++i) {
      const bool known = i > 0 && i - 1 < prompt.reading.logprobs.size();
      choice.lists.add(tokenizer_, prompt.tokens[i],
                       known ? std::optional(prompt.reading.logprobs[i - 1]) : std::nullopt,
                       known ? prompt.reading.top[i - 1] : decltype(engine::Event::top)());
    }
  }

  // With what has come since the last time.
  Json choice_json(size_t index, Json finish_reason) {
    Choice& choice = choices_[index];
    return {{"index", index},
            {"text", std::exchange(choice.text, "")},
            {"logprobs", logprobs_ ? choice.lists.take() : Json()},
            {"finish_reason", std::move(finish_reason)}};
  }

  std::string chunk(size_t index, Json finish_reason) {
    Json json = envelope(head_, "text_completion");
    json["choices"] = Json::array({choice_json(index, std::move(finish_reason))});
    if (include_usage_) json["usage"] = nullptr;
    return sse(json);
  }

  const text::Tokenizer& tokenizer_;  // of the engine's model
  const AnswerHead head_;
  const bool logprobs_;
  const bool include_usage_;
  std::vector<Choice> choices_;
};

}  // namespace

std::string token_text(const text::Tokenizer& tokenizer, int32_t id) {
  std::string bytes =
      tokenizer.is_special(id) ? tokenizer.decode({&id, 1}, true) : tokenizer.decode_more({&id, 1});
  if (text::is_valid_utf8(bytes)) return bytes;
  std::string shown = "bytes:";
  for (const char byte : bytes) shown += fmt::format("\\x{:02x}", static_cast<uint8_t>(byte));
  return shown;
}

Json LogprobLists::empty() {
  return {{"tokens", Json::array()},
          {"token_logprobs", Json::array()},
          {"top_logprobs", Json::array()},
          {"text_offset", Json::array()}};
}

void LogprobLists::add(const text::Tokenizer& tokenizer, int32_t id, std::optional<float> logprob,
                       const std::vector<std::pair<int32_t, float>>& top) {
  lists_["tokens"].push_back(token_text(tokenizer, id));
  lists_["token_logprobs"].push_back(logprob ? Json(*logprob) : Json());
  lists_["text_offset"].push_back(characters_);
  Json best = logprob && !top.empty() ? Json::object() : Json();
  for (const auto& [other, other_logprob] : top)
    best.emplace(token_text(tokenizer, other), other_logprob);
  lists_["top_logprobs"].push_back(std::move(best));
  // A character that several tokens share belongs to the one that begins it.
  for (const char byte : tokenizer.decode_more({&id, 1}))
    characters_ += (static_cast<uint8_t>(byte) & 0xC0) != 0x80 ? 1 : 0;
}

Json LogprobLists::take() {
  return std::exchange(lists_, empty());
}

std::unique_ptr<AnswerFormat> completion_format(const text::Tokenizer& tokenizer, AnswerHead head,
                                                const CompletionRequest& request,
                                                const std::vector<ReadPrompt>& prompts) {
  return std::make_unique<CompletionFormat>(tokenizer, std::move(head), request, prompts);
}

}  // namespace plinth::server
