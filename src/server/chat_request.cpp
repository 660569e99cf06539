#include "server/chat_request.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "core/hash.h"
#include "core/json.h"
#include "server/raw_member.h"

namespace plinth::server {
namespace {

constexpr size_t kMessagesMax = 4096;
constexpr size_t kStopsMax = 16;
constexpr size_t kStopBytesMax = 256;
constexpr size_t kStopTokensMax = 64;
constexpr size_t kBiasesMax = 1024;
constexpr double kNumberMax = 1e9;
constexpr double kLeastMass = 1e-6;  // of the best tokens: none at all leaves nothing to choose

// Reads one object's fields and remembers which one was at fault.
class Fields {
 public:
  Fields(const Json& object, std::string& param) : object_(object), param_(param) {}

  // Null is as good as missing.
  const Json* find(const std::string& name) const {
    param_ = name;
    const auto it = object_.find(name);
    return it == object_.end() || it->is_null() ? nullptr : &*it;
  }

  Result<double> number(const std::string& name, double fallback, double low, double high) const {
    const Json* value = find(name);
    if (value == nullptr) return fallback;
    if (!value->is_number()) return invalid("{}: a number is needed", name);
    const auto found = value->get<double>();
    if (!(found >= low && found <= high))
      return invalid("{}: {} is outside {}..{}", name, found, low, high);
    return found;
  }

  Result<int64_t> integer(const std::string& name, int64_t fallback, double low,
                          double high) const {
    PLINTH_TRY(const double found, number(name, static_cast<double>(fallback), low, high));
    if (found != std::floor(found)) return invalid("{}: {} is not a whole number", name, found);
    return static_cast<int64_t>(found);
  }

  Result<bool> flag(const std::string& name, bool fallback) const {
    const Json* value = find(name);
    if (value == nullptr) return fallback;
    if (!value->is_boolean()) return invalid("{}: true or false is needed", name);
    return value->get<bool>();
  }

 private:
  const Json& object_;
  std::string& param_;
};

// A message's content: a text, or parts of type text.
Result<std::string> parse_content(const Json& message, const std::string& place,
                                  std::string& param) {
  param = place + ".content";
  const auto it = message.find("content");
  const std::string role = string_or(message, "role", "");
  if (it == message.end() || it->is_null()) {
    if (role == "assistant") return std::string();
    return invalid("{}: a text is needed", param);
  }
  if (it->is_string()) return it->get<std::string>();
  if (!it->is_array()) return invalid("{}: a text or an array of parts is needed", param);
  std::string text;
  for (size_t i = 0; i < it->size(); ++i) {
    const Json& part = (*it)[i];
    param = fmt::format("{}.content[{}]", place, i);
    const std::string type = part.is_object() ? string_or(part, "type", "") : "";
    if (type != "text") return invalid("{}: type \"{}\" is not supported, only text", param, type);
    const auto part_text = part.find("text");
    if (part_text == part.end() || !part_text->is_string())
      return invalid("{}: a text is needed", param);
    text += part_text->get<std::string>();
  }
  return text;
}

Result<std::vector<Message>> parse_messages(const Json& body, std::string& param) {
  param = "messages";
  const auto it = body.find("messages");
  if (it == body.end() || !it->is_array() || it->empty())
    return invalid("messages: a non-empty array is needed");
  if (it->size() > kMessagesMax)
    return invalid("messages: {} of them, the limit is {}", it->size(), kMessagesMax);
  std::vector<Message> messages;
  for (size_t i = 0; i < it->size(); ++i) {
    const Json& message = (*it)[i];
    const std::string place = fmt::format("messages[{}]", i);
    param = place;
    if (!message.is_object()) return invalid("{}: an object is needed", place);
    param = place + ".role";
    std::string role = string_or(message, "role", "");
    if (role == "developer") role = "system";
    if (role != "system" && role != "user" && role != "assistant")
      return invalid("{}: role \"{}\" is not supported: system, user or assistant", place, role);
    param = place + ".tool_calls";
    if (const auto calls = message.find("tool_calls");
        calls != message.end() && !calls->is_null() && !calls->empty())
      return invalid("{}: tool calls are not supported", place);
    PLINTH_TRY(std::string content, parse_content(message, place, param));
    messages.push_back({.role = std::move(role), .content = std::move(content)});
  }
  return messages;
}

// Fields that would change the answer's meaning and that we cannot honour.
Status refuse_unsupported(const Fields& fields) {
  for (const char* name : {"tools", "functions"})
    if (const Json* value = fields.find(name); value != nullptr && !value->empty())
      return invalid("{} are not supported", name);
  for (const char* name : {"tool_choice", "function_call"})
    if (const Json* value = fields.find(name);
        value != nullptr && *value != "none" && *value != "auto")
      return invalid("{}: only none or auto, as there are no tools", name);
  if (const Json* modalities = fields.find("modalities");
      modalities != nullptr && *modalities != Json::array({"text"}))
    return invalid("modalities: only [\"text\"] is supported");
  for (const char* name : {"audio", "prediction", "web_search_options", "reasoning_effort"})
    if (fields.find(name) != nullptr) return invalid("{} is not supported", name);
  return {};
}

// The schema's own text, empty for an answer of any form.
Result<std::string> parse_format(const Fields& fields, std::string_view body) {
  const Json* format = fields.find("response_format");
  if (format == nullptr) return std::string();
  const std::string type = format->is_object() ? string_or(*format, "type", "") : "";
  if (type == "text") return std::string();
  if (type == "json_object") return std::string(R"({"type":"object"})");
  if (type != "json_schema")
    return invalid("response_format: an object of type text, json_object or json_schema is needed");
  const auto named = format->find("json_schema");
  if (named == format->end() || !named->is_object() || !named->contains("schema"))
    return invalid("response_format: json_schema: an object with a schema is needed");
  if (const auto name = named->find("name"); name != named->end() && !name->is_string())
    return invalid("response_format: json_schema.name: a text is needed");
  return std::string(
      raw_member(raw_member(raw_member(body, "response_format"), "json_schema"), "schema"));
}

Result<std::vector<std::string>> parse_stop(const Fields& fields) {
  std::vector<std::string> stops;
  const Json* value = fields.find("stop");
  if (value == nullptr) return stops;
  const Json list = value->is_array() ? *value : Json::array({*value});
  if (list.size() > kStopsMax)
    return invalid("stop: {} texts, the limit is {}", list.size(), kStopsMax);
  for (const Json& stop : list) {
    if (!stop.is_string() || stop.get_ref<const std::string&>().empty() ||
        stop.get_ref<const std::string&>().size() > kStopBytesMax)
      return invalid("stop: a text of 1..{} bytes, or an array of them, is needed", kStopBytesMax);
    stops.push_back(stop.get<std::string>());
  }
  return stops;
}

Result<std::vector<int32_t>> parse_stop_tokens(const Fields& fields) {
  std::vector<int32_t> tokens;
  const Json* value = fields.find("stop_token_ids");
  if (value == nullptr) return tokens;
  if (!value->is_array() || value->size() > kStopTokensMax)
    return invalid("stop_token_ids: an array of at most {} token ids is needed", kStopTokensMax);
  for (const Json& id : *value) {
    if (!id.is_number_integer() || id < 0 || id > std::numeric_limits<int32_t>::max())
      return invalid("stop_token_ids: {} is not a token id", to_text(id));
    tokens.push_back(id.get<int32_t>());
  }
  return tokens;
}

Status parse_logit_bias(const Fields& fields, engine::Sampling& sampling) {
  const Json* value = fields.find("logit_bias");
  if (value == nullptr) return {};
  if (!value->is_object() || value->size() > kBiasesMax)
    return invalid("logit_bias: an object of at most {} token ids is needed", kBiasesMax);
  for (const auto& [key, bias] : value->items()) {
    int32_t id = -1;
    const auto parsed = std::from_chars(key.data(), key.data() + key.size(), id);
    if (parsed.ec != std::errc() || parsed.ptr != key.data() + key.size() || id < 0)
      return invalid("logit_bias: \"{}\" is not a token id", key);
    if (!bias.is_number() || std::abs(bias.get<double>()) > 100)
      return invalid("logit_bias: the bias of {} is outside -100..100", key);
    sampling.logit_bias.emplace_back(id, bias.get<float>());
  }
  return {};
}

Status parse_sampling(const Fields& fields, ChatRequest& request) {
  engine::Sampling& sampling = request.sampling;
  const auto real = [&](const char* name, float& out, double low, double high) -> Status {
    PLINTH_TRY(const double found, fields.number(name, out, low, high));
    out = static_cast<float>(found);
    return {};
  };
  PLINTH_TRY(real("temperature", sampling.temperature, 0, 2));
  PLINTH_TRY(real("top_p", sampling.top_p, kLeastMass, 1));
  PLINTH_TRY(real("presence_penalty", sampling.presence_penalty, -2, 2));
  PLINTH_TRY(real("frequency_penalty", sampling.frequency_penalty, -2, 2));
  // Not OpenAI's, but what other servers call them.
  PLINTH_TRY(real("min_p", sampling.min_p, 0, 1));
  PLINTH_TRY(real("typical_p", sampling.typical_p, kLeastMass, 1));
  PLINTH_TRY(real("repetition_penalty", sampling.repetition_penalty, 0.01, 10));
  PLINTH_TRY(const int64_t top_k, fields.integer("top_k", 0, -1, kNumberMax));
  sampling.top_k = static_cast<int32_t>(top_k < 0 ? 0 : top_k);

  if (const Json* seed = fields.find("seed")) {
    if (!seed->is_number_integer()) return invalid("seed: a whole number is needed");
    sampling.seed = seed->is_number_unsigned() ? seed->get<uint64_t>()
                                               : static_cast<uint64_t>(seed->get<int64_t>());
  } else {
    const std::string digits = random_hex(8);
    std::from_chars(digits.data(), digits.data() + digits.size(), sampling.seed, 16);
  }

  PLINTH_TRY(request.logprobs, fields.flag("logprobs", false));
  PLINTH_TRY(const int64_t top, fields.integer("top_logprobs", 0, 0, 20));
  if (top > 0 && !request.logprobs) return invalid("top_logprobs: needs logprobs to be true");
  sampling.top_logprobs = static_cast<int32_t>(top);
  return parse_logit_bias(fields, sampling);
}

Status parse_stream(const Fields& fields, ChatRequest& request, std::string& param) {
  PLINTH_TRY(request.stream, fields.flag("stream", false));
  const Json* options = fields.find("stream_options");
  if (options == nullptr) return {};
  if (!request.stream) return invalid("stream_options: only with stream");
  if (!options->is_object()) return invalid("stream_options: an object is needed");
  PLINTH_TRY(request.include_usage, Fields(*options, param).flag("include_usage", false));
  return {};
}

}  // namespace

Result<ChatRequest> parse_chat_request(std::string_view body, std::string& param) {
  param.clear();
  PLINTH_TRY(const Json json, parse_json(body, "body"));
  if (!json.is_object()) return invalid("body: a JSON object is needed");
  const Fields fields(json, param);
  ChatRequest request;
  const Json* model = fields.find("model");
  if (model == nullptr || !model->is_string()) return invalid("model: a name is needed");
  request.model = model->get<std::string>();
  PLINTH_TRY(refuse_unsupported(fields));
  PLINTH_TRY(request.messages, parse_messages(json, param));
  PLINTH_TRY(parse_sampling(fields, request));
  for (const char* name : {"max_tokens", "max_completion_tokens"})
    if (fields.find(name) != nullptr) {
      PLINTH_TRY(const int64_t tokens, fields.integer(name, 0, 1, kNumberMax));
      request.tokens_max = tokens;
    }
  PLINTH_TRY(request.stop, parse_stop(fields));
  PLINTH_TRY(request.stop_tokens, parse_stop_tokens(fields));
  PLINTH_TRY(const int64_t n, fields.integer("n", 1, 1, engine::kChoicesMax));
  request.n = static_cast<int32_t>(n);
  PLINTH_TRY(request.schema, parse_format(fields, body));
  PLINTH_TRY(parse_stream(fields, request, param));
  param.clear();
  return request;
}

}  // namespace plinth::server
