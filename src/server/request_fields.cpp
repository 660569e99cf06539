#include "server/request_fields.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "core/hash.h"

namespace plinth::server {
namespace {

constexpr size_t kStopsMax = 16;
constexpr size_t kStopBytesMax = 256;
constexpr size_t kStopTokensMax = 64;
constexpr size_t kBiasesMax = 1024;
constexpr double kLeastMass = 1e-6;  // of the best tokens: none at all leaves nothing to choose

bool is_token(const Json& id) {
  return id.is_number_integer() && id >= 0 && id <= std::numeric_limits<int32_t>::max();
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

Result<TextOrTokens> parse_input(const Json& value, const std::string& place) {
  if (value.is_string()) return TextOrTokens{.text = value.get<std::string>()};
  if (!value.is_array() || value.empty())
    return invalid("{}: a text or a list of token ids is needed", place);
  TextOrTokens input{.is_text = false};
  for (const Json& id : value) {
    if (!is_token(id)) return invalid("{}: {} is not a token id", place, to_text(id));
    input.tokens.push_back(id.get<int32_t>());
  }
  return input;
}

}  // namespace

const Json* Fields::find(const std::string& name) const {
  param_ = named(name);
  known_.insert(name);
  const auto it = object_.find(name);
  return it == object_.end() || it->is_null() ? nullptr : &*it;
}

Result<double> Fields::number(const std::string& name, double fallback, double low,
                              double high) const {
  const Json* value = find(name);
  if (value == nullptr) return fallback;
  if (!value->is_number()) return invalid("{}: a number is needed", named(name));
  const auto found = value->get<double>();
  if (!(found >= low && found <= high))
    return invalid("{}: {} is outside {}..{}", named(name), found, low, high);
  return found;
}

Result<int64_t> Fields::integer(const std::string& name, int64_t fallback, double low,
                                double high) const {
  PLINTH_TRY(const double found, number(name, static_cast<double>(fallback), low, high));
  if (found != std::floor(found))
    return invalid("{}: {} is not a whole number", named(name), found);
  return static_cast<int64_t>(found);
}

Result<bool> Fields::flag(const std::string& name, bool fallback) const {
  const Json* value = find(name);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) return invalid("{}: true or false is needed", named(name));
  return value->get<bool>();
}

Result<std::string> Fields::text(const std::string& name) const {
  const Json* value = find(name);
  if (value == nullptr || !value->is_string()) return invalid("{}: a text is needed", named(name));
  return value->get<std::string>();
}

Result<std::string> Fields::text_or(const std::string& name, std::string_view fallback) const {
  if (find(name) == nullptr) return std::string(fallback);
  return text(name);
}

Status Fields::nothing_else() const {
  for (const auto& [name, value] : object_.items()) {
    if (value.is_null() || known_.contains(name)) continue;
    param_ = named(name);
    return invalid("{}: there is no such field", named(name));
  }
  return {};
}

Status only_fields(const Json& object, std::initializer_list<std::string_view> names,
                   const std::string& place, std::string& param) {
  for (const auto& [name, value] : object.items()) {
    const bool empty = value.is_null() || (value.is_array() && value.empty());
    if (empty || std::ranges::find(names, name) != names.end()) continue;
    param = place + "." + name;
    return invalid("{}: there is no such field", param);
  }
  return {};
}

Result<Json> parse_object(std::string_view body, std::string& param) {
  param.clear();
  PLINTH_TRY(Json json, parse_json(body, "body"));
  if (!json.is_object()) return invalid("body: a JSON object is needed");
  return json;
}

Status parse_sampling(const Fields& fields, engine::Sampling& sampling) {
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

  return parse_logit_bias(fields, sampling);
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
    if (!is_token(id)) return invalid("stop_token_ids: {} is not a token id", to_text(id));
    tokens.push_back(id.get<int32_t>());
  }
  return tokens;
}

Result<Urgency> parse_urgency(const Fields& fields) {
  constexpr double kPriorityMax = 1000;
  constexpr double kDayMs = 86'400'000;
  Urgency urgency;
  PLINTH_TRY(const int64_t priority, fields.integer("priority", 0, -kPriorityMax, kPriorityMax));
  urgency.priority = static_cast<int32_t>(priority);
  PLINTH_TRY(urgency.deadline_ms, fields.integer("deadline_ms", 0, 0, kDayMs));
  return urgency;
}

Status check_metadata(const Fields& fields) {
  const Json* metadata = fields.find("metadata");
  if (metadata == nullptr) return {};
  bool texts = metadata->is_object();
  for (const Json& value : *metadata) texts = texts && value.is_string();
  if (!texts) return invalid("metadata: an object of texts is needed");
  return {};
}

Result<StreamChoice> parse_stream(const Fields& fields, std::string& param) {
  StreamChoice choice;
  PLINTH_TRY(choice.stream, fields.flag("stream", false));
  const Json* options = fields.find("stream_options");
  if (options == nullptr) return choice;
  if (!choice.stream) return invalid("stream_options: only with stream");
  if (!options->is_object()) return invalid("stream_options: an object is needed");
  const Fields nested(*options, param, "stream_options.");
  PLINTH_TRY(choice.include_usage, nested.flag("include_usage", false));
  // Padding against guessing texts by their lengths: there is none to leave out.
  PLINTH_TRY(const bool padding, nested.flag("include_obfuscation", false));
  if (padding) return invalid("stream_options.include_obfuscation: true is not supported");
  PLINTH_TRY(nested.nothing_else());
  return choice;
}

Result<std::vector<TextOrTokens>> parse_inputs(const Fields& fields, const std::string& name,
                                               size_t inputs_max) {
  const Json* value = fields.find(name);
  if (value == nullptr || (value->is_array() && value->empty()))
    return invalid("{}: a text, a list of token ids, or an array of them is needed", name);
  std::vector<TextOrTokens> inputs;
  if (!value->is_array() || is_token(value->front())) {
    PLINTH_TRY(inputs.emplace_back(), parse_input(*value, name));
    return inputs;
  }
  if (value->size() > inputs_max)
    return invalid("{}: {} of them, the limit is {}", name, value->size(), inputs_max);
  for (size_t i = 0; i < value->size(); ++i) {
    PLINTH_TRY(inputs.emplace_back(), parse_input((*value)[i], fmt::format("{}[{}]", name, i)));
  }
  return inputs;
}

}  // namespace plinth::server
