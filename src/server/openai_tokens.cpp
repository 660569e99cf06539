#include "server/openai_tokens.h"

#include <utility>

#include "server/chat.h"
#include "server/chat_request.h"
#include "server/completion_format.h"
#include "server/request_fields.h"

namespace plinth::server {
namespace {

struct TokenizeRequest {
  std::string model = {};
  bool chat = false;
  std::string prompt = {};
  std::vector<Message> messages = {};
  ToolRequest tools = {};
  bool with_before = true;
  bool with_texts = false;
};

// `base`: whose tokens they are where no model is named; all models of a server have the same.
Result<TokenizeRequest> parse_tokenize(std::string_view body, const std::string& base,
                                       std::string& param) {
  PLINTH_TRY(const Json json, parse_object(body, param));
  const Fields fields(json, param);
  TokenizeRequest request;
  PLINTH_TRY(request.model, fields.text_or("model", base));
  PLINTH_TRY(request.with_before, fields.flag("add_special_tokens", true));
  PLINTH_TRY(request.with_texts, fields.flag("return_token_strs", false));
  request.chat = fields.find("messages") != nullptr;
  if (request.chat) {
    PLINTH_TRY(request.messages, parse_messages(json, param));
    PLINTH_TRY(request.tools, parse_tools(fields, body));
  } else {
    PLINTH_TRY(request.prompt, fields.text("prompt"));
  }
  PLINTH_TRY(fields.nothing_else());
  return request;
}

Result<std::vector<int32_t>> tokens_of(const TokenizeRequest& request, const DomainModel& model,
                                       const text::Tokenizer& tokenizer) {
  if (request.chat) {
    PLINTH_TRY(auto prepared, prepare_chat(model, tokenizer, request.messages, request.tools));
    return std::move(prepared.prompt);
  }
  std::vector<int32_t> tokens;
  if (request.with_before) tokens = tokenizer.spec().before;
  const auto more = tokenizer.encode(request.prompt, true);
  tokens.insert(tokens.end(), more.begin(), more.end());
  return tokens;
}

}  // namespace

void handle_tokenize(const Services& services, const Call& call) {
  std::string param;
  const auto request =
      parse_tokenize(call.exchange->request().body, services.models.base_name(), param);
  if (!request) return refuse(call, {.error = request.error(), .param = param});
  const DomainModelPtr model = find_model(services, call, request->model);
  if (model == nullptr) return;
  const text::Tokenizer& tokenizer = services.engine.model().tokenizer();
  const auto tokens = tokens_of(*request, *model, tokenizer);
  if (!tokens) return refuse(call, {.error = tokens.error(), .param = "messages"});
  Json json = {{"count", tokens->size()},
               {"max_model_len", services.engine.model().config().context},
               {"tokens", *tokens}};
  if (request->with_texts) {
    json["token_strs"] = Json::array();
    for (const int32_t id : *tokens) json["token_strs"].push_back(token_text(tokenizer, id));
  }
  call.exchange->reply({.body = to_text(json)});
}

void handle_detokenize(const Services& services, const Call& call) {
  std::string param;
  const auto parse = [&]() -> Result<std::pair<std::string, std::vector<int32_t>>> {
    PLINTH_TRY(const Json json, parse_object(call.exchange->request().body, param));
    const Fields fields(json, param);
    PLINTH_TRY(std::string model, fields.text_or("model", services.models.base_name()));
    const Json* tokens = fields.find("tokens");
    if (tokens == nullptr || !tokens->is_array())
      return invalid("tokens: an array of token ids is needed");
    std::vector<int32_t> ids;
    const int32_t size = services.engine.model().tokenizer().size();
    for (const Json& id : *tokens) {
      if (!id.is_number_integer() || id < 0 || id >= size)
        return invalid("tokens: {} is not a token id, they are 0..{}", to_text(id), size - 1);
      ids.push_back(id.get<int32_t>());
    }
    PLINTH_TRY(fields.nothing_else());
    return std::pair(std::move(model), std::move(ids));
  };
  const auto request = parse();
  if (!request) return refuse(call, {.error = request.error(), .param = param});
  if (find_model(services, call, request->first) == nullptr) return;
  const std::string text = services.engine.model().tokenizer().decode(request->second, true);
  call.exchange->reply({.body = to_text({{"prompt", text}})});
}

void handle_tokenizer_info(const Services& services, const Call& call) {
  const model::Model& base = services.engine.model();
  const auto text_of = [&](int32_t id) {
    return id < 0 ? Json() : Json(token_text(base.tokenizer(), id));
  };
  call.exchange->reply({.body = to_text({{"tokenizer_class", "plinth"},
                                         {"model_max_length", base.config().context},
                                         {"vocab_size", base.tokenizer().size()},
                                         {"bos_token", text_of(base.tokenizer().bos())},
                                         {"eos_token", text_of(base.tokenizer().eos())},
                                         {"chat_template", base.chat_template()}})});
}

}  // namespace plinth::server
