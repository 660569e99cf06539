#include "server/response_format.h"

#include <optional>
#include <utility>

#include "server/tool_parser.h"

namespace plinth::server {
namespace {

class ResponseFormat : public AnswerFormat {
 public:
  ResponseFormat(const text::Tokenizer& tokenizer, AnswerHead head, const ChatRequest& request,
                 ToolStyle style, Json echo, Json citations)
      : head_(std::move(head)), echo_(std::move(echo)), citations_(std::move(citations)) {
    if (!request.tools.offered()) return;
    std::vector<std::string> names;
    for (const Tool& tool : request.tools.tools) names.push_back(tool.name);
    trigger_ = tokenizer.special_id(tool_trigger(style));
    parser_.emplace(style, names, request.tools.forced(), !request.tools.parallel);
  }

  void take(size_t, const engine::Event& event) override { read(event); }

  Json whole(const Outcome& outcome) override {
    close_item(complete(outcome));
    return response(&outcome);
  }

  std::string begin() override {
    emit("response.created", {{"response", response(nullptr)}});
    emit("response.in_progress", {{"response", response(nullptr)}});
    return std::exchange(events_, {});
  }

  std::string piece(size_t, const engine::Event& event) override {
    read(event);
    return std::exchange(events_, {});
  }

  std::string end(const Outcome& outcome) override {
    close_item(complete(outcome));
    const Json whole = response(&outcome);
    emit("response." + whole["status"].get<std::string>(), {{"response", whole}});
    return std::exchange(events_, {});
  }

  // The last event says by its name that it is the last.
  std::string_view end_mark() const override { return ""; }

 private:
  void read(const engine::Event& event) {
    if (!parser_) return add_text(event.text);
    take_piece(parser_->push(event.text, event.id >= 0 && event.id == trigger_));
    if (event.finished) take_piece(parser_->finish());
  }

  void take_piece(const ToolParser::Piece& piece) {
    add_text(piece.content);
    for (const auto& call : piece.calls) {
      if (!call.id.empty()) open_call(call);
      add_arguments(call.arguments);
    }
  }

  void add_text(const std::string& text) {
    if (text.empty()) return;
    if (!open_ || is_call_) open_message();
    text_ += text;
    emit("response.output_text.delta", {{"item_id", item_id()},
                                        {"output_index", index()},
                                        {"content_index", 0},
                                        {"delta", text},
                                        {"logprobs", Json::array()}});
  }

  void open_message() {
    close_item();
    open({{"type", "message"},
          {"id",
           "msg_" + head_.id.substr(head_.id.find('-') + 1) + fmt::format("-{}", items_.size())},
          {"status", "in_progress"},
          {"role", "assistant"},
          {"content", Json::array()}},
         false);
    emit("response.content_part.added", {{"item_id", item_id()},
                                         {"output_index", index()},
                                         {"content_index", 0},
                                         {"part", text_part()}});
  }

  void open_call(const ToolParser::CallPiece& call) {
    close_item();
    open({{"type", "function_call"},
          {"id", "fc_" + call.id},
          {"call_id", call.id},
          {"name", call.name},
          {"arguments", ""},
          {"status", "in_progress"}},
         true);
  }

  void add_arguments(const std::string& arguments) {
    if (arguments.empty() || !open_) return;
    text_ += arguments;
    emit("response.function_call_arguments.delta",
         {{"item_id", item_id()}, {"output_index", index()}, {"delta", arguments}});
  }

  void open(Json item, bool is_call) {
    items_.push_back(std::move(item));
    open_ = true;
    is_call_ = is_call;
    text_.clear();
    emit("response.output_item.added", {{"output_index", index()}, {"item", items_.back()}});
  }

  static bool complete(const Outcome& outcome) {
    return outcome.reasons.at(0) != engine::FinishReason::kLength && !outcome.filtered.at(0);
  }

  // `complete`: the answer did not end in the middle of it.
  void close_item(bool complete = true) {
    if (!std::exchange(open_, false)) return;
    Json& item = items_.back();
    item["status"] = complete ? "completed" : "incomplete";
    if (is_call_) {
      item["arguments"] = text_;
      emit("response.function_call_arguments.done", {{"item_id", item_id()},
                                                     {"output_index", index()},
                                                     {"name", item["name"]},
                                                     {"arguments", text_}});
    } else {
      item["content"].push_back(text_part());
      if (!citations_.is_null()) item["citations"] = citations_;
      const Json place = {{"item_id", item_id()}, {"output_index", index()}, {"content_index", 0}};
      Json done = place;
      done["text"] = text_;
      done["logprobs"] = Json::array();
      emit("response.output_text.done", std::move(done));
      Json part = place;
      part["part"] = text_part();
      emit("response.content_part.done", std::move(part));
    }
    emit("response.output_item.done", {{"output_index", index()}, {"item", item}});
  }

  Json text_part() const {
    return {{"type", "output_text"},
            {"text", text_},
            {"annotations", Json::array()},
            {"logprobs", Json::array()}};
  }

  Json item_id() const { return items_.back()["id"]; }

  size_t index() const { return items_.size() - 1; }

  // Null: the answer has just begun.
  Json response(const Outcome* outcome) const {
    Json json = echo_;
    json["id"] = head_.id;
    json["object"] = "response";
    json["created_at"] = head_.created_s;
    json["model"] = head_.model;
    json["system_fingerprint"] = head_.fingerprint;
    json["error"] = nullptr;
    json["incomplete_details"] = nullptr;
    json["previous_response_id"] = nullptr;
    json["reasoning"] = {{"effort", nullptr}, {"summary", nullptr}};
    json["store"] = false;
    json["truncation"] = "disabled";
    json["output"] = items_;
    json["usage"] = nullptr;
    json["status"] = "in_progress";
    if (outcome == nullptr) return json;
    json["status"] = complete(*outcome) ? "completed" : "incomplete";
    if (!complete(*outcome))
      json["incomplete_details"] = {
          {"reason", outcome->filtered.at(0) ? "content_filter" : "max_output_tokens"}};
    const engine::Usage& usage = outcome->usage;
    json["usage"] = {{"input_tokens", usage.prompt_tokens},
                     {"input_tokens_details", {{"cached_tokens", usage.cached_tokens}}},
                     {"output_tokens", usage.completion_tokens},
                     {"output_tokens_details", {{"reasoning_tokens", 0}}},
                     {"total_tokens", usage.prompt_tokens + usage.completion_tokens}};
    return json;
  }

  void emit(const std::string& type, Json json) {
    json["type"] = type;
    json["sequence_number"] = sequence_++;
    events_ += "event: " + type + "\n" + sse(json);
  }

  const AnswerHead head_;
  const Json echo_;
  const Json citations_;
  int32_t trigger_ = -1;              // the token that begins calls, where one does
  std::optional<ToolParser> parser_;  // none without tools
  Json items_ = Json::array();
  bool open_ = false;  // the last item is being written
  bool is_call_ = false;
  std::string text_;  // of the open item
  int64_t sequence_ = 0;
  std::string events_;  // not yet given out
};

}  // namespace

std::unique_ptr<AnswerFormat> response_format(const text::Tokenizer& tokenizer, AnswerHead head,
                                              const ChatRequest& request, ToolStyle style,
                                              Json echo, Json citations) {
  return std::make_unique<ResponseFormat>(tokenizer, std::move(head), request, style,
                                          std::move(echo), std::move(citations));
}

}  // namespace plinth::server
