// Chat templates: messages to the text a model was trained on, by the Jinja template that comes
// with it (tokenizer_config.json, GGUF).
//
// Renders what transformers' apply_chat_template renders for the same inputs. A template is foreign
// code: it can reach nothing but its inputs, and nesting, work, memory and output are bounded.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/json.h"
#include "core/result.h"
#include <nlohmann/json.hpp>

namespace plinth::text {

namespace jinja {
struct Program;
}

// JSON that keeps the order of its keys. A plinth::Json converts to it, with its keys sorted; parse
// tools straight into this type where the model should see them in the order they were written.
using OrderedJson = nlohmann::ordered_json;

struct ChatOptions {
  bool add_generation_prompt = true;
  std::string bos{};  // text of the token, seen as bos_token
  std::string eos{};
  OrderedJson tools{};  // null: the template sees none
  OrderedJson extra{};  // an object of further names, such as {"enable_thinking": false}
  const Clock* clock = &system_clock();  // for strftime_now
};

// Immutable; any thread.
class ChatTemplate {
 public:
  // Errors name the line.
  static Result<ChatTemplate> parse(std::string_view source);

  // messages: an array of objects, as in the OpenAI API. The template's raise_exception, an
  // undefined attribute or a spent limit (16 MiB of output) is an error that names the line.
  Result<std::string> render(const OrderedJson& messages, const ChatOptions& options) const;

 private:
  explicit ChatTemplate(std::shared_ptr<const jinja::Program> program)
      : program_(std::move(program)) {}

  std::shared_ptr<const jinja::Program> program_;  // shared by the copies of this object
};

}  // namespace plinth::text
