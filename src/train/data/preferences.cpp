#include "train/data/preferences.h"

#include <algorithm>
#include <string>
#include <utility>

#include "train/data/conversation.h"
#include "train/data/row_reading.h"

namespace plinth::train {
namespace {

using text::OrderedJson;

OrderedJson message(std::string_view role, const std::string& content) {
  return {{"role", role}, {"content", content}};
}

// A message, of ShareGPT's or of OpenAI's names.
Result<OrderedJson> in_openai_names(const OrderedJson& given) {
  const bool sharegpt = given.is_object() && given.contains("from") && !given.contains("role");
  if (sharegpt) return sharegpt_message(given);
  return given;
}

// A text, a message or a list of messages as messages.
Result<OrderedJson> as_messages(const OrderedJson& row, const char* key,
                                std::string_view role_of_text) {
  const auto it = row.find(key);
  if (it == row.end()) return invalid("{} is missing", key);
  if (it->is_string()) return OrderedJson::array({message(role_of_text, it->get<std::string>())});
  if (!it->is_object() && (!it->is_array() || it->empty()))
    return invalid("{} is {}, not a text, a message or a list of messages", key,
                   it->is_array() ? "an empty list" : it->type_name());
  const OrderedJson list = it->is_object() ? OrderedJson::array({*it}) : *it;
  OrderedJson messages = OrderedJson::array();
  for (size_t i = 0; i < list.size(); ++i) {
    auto one = in_openai_names(list[i]);
    if (!one) return invalid("{}, message {}: {}", key, i, one.error().message);
    messages.push_back(*std::move(one));
  }
  return messages;
}

bool is_assistants(const OrderedJson& message) {
  const auto role = message.is_object() ? message.find("role") : message.end();
  return message.is_object() && role != message.end() && *role == "assistant";
}

int64_t assistant_turns(const OrderedJson& messages) {
  return std::count_if(messages.begin(), messages.end(), is_assistants);
}

// Leaves the last `turns` stretches of learnt tokens learnt: those of the answer, not of the
// prompt.
void keep_last_turns(int64_t turns, Sample& sample) {
  bool inside = false;
  for (size_t i = sample.learned.size(); i-- > 0;) {
    if (inside && !sample.learned[i]) --turns;
    inside = sample.learned[i];
    if (turns <= 0) sample.learned[i] = false;
  }
}

struct Answered {
  Sample sample;
  std::string text;
};

// `frame`: the row's tools and system prompt, if it has any.
Result<Answered> conversation(const OrderedJson& frame, const OrderedJson& prompt,
                              const OrderedJson& answer, const DatasetOptions& options) {
  OrderedJson row = frame;
  row["messages"] = prompt;
  for (const auto& said : answer) row["messages"].push_back(said);
  PLINTH_TRY(const auto whole, conversation_of(row));
  PLINTH_TRY(auto samples, conversation_samples(whole, options));
  const int64_t turns = assistant_turns(answer);
  if (turns == 0) return invalid("an answer has no assistant message");
  keep_last_turns(turns, samples.back());
  return Answered{std::move(samples.back()), text_of(whole)};
}

// Without a chat template.
Result<Answered> plain(const OrderedJson& row, const char* key, const DatasetOptions& options) {
  for (const char* needed : {"prompt", key}) {
    const auto it = row.find(needed);
    if (it == row.end() || !it->is_string())
      return invalid("{} is not a text, and the base has no chat template", needed);
  }
  const auto asked = row["prompt"].get<std::string>();
  const auto said = row[key].get<std::string>();
  Sample sample;
  sample.tokens = options.tokenizer->encode(asked, false);
  const auto prompt = sample.tokens.size();
  for (const int32_t id : options.tokenizer->encode(said, false)) sample.tokens.push_back(id);
  if (const int32_t eos = options.tokenizer->eos(); eos >= 0) sample.tokens.push_back(eos);
  sample.learned.assign(sample.tokens.size(), true);
  // The first token is never predicted.
  std::fill_n(sample.learned.begin(), std::min(std::max<size_t>(prompt, 1), sample.learned.size()),
              false);
  return Answered{std::move(sample), asked + "\n" + said + "\n"};
}

// The messages that both conversations begin with.
OrderedJson shared_beginning(const OrderedJson& a, const OrderedJson& b) {
  OrderedJson shared = OrderedJson::array();
  for (size_t i = 0; i < a.size() && i < b.size() && a[i] == b[i]; ++i) shared.push_back(a[i]);
  return shared;
}

OrderedJson without_beginning(const OrderedJson& messages, size_t n) {
  OrderedJson rest = OrderedJson::array();
  for (size_t i = n; i < messages.size(); ++i) rest.push_back(messages[i]);
  return rest;
}

// OpenAI's names for the parts of a pair, as ours.
Result<OrderedJson> in_our_names(const OrderedJson& row) {
  if (!row.contains("preferred_output") && !row.contains("non_preferred_output")) return row;
  const auto input = row.find("input");
  if (input == row.end() || !input->is_object() || !input->contains("messages"))
    return invalid("input is no object with messages");
  OrderedJson ours = {{"messages", (*input)["messages"]}};
  if (input->contains("tools")) ours["tools"] = (*input)["tools"];
  for (const auto& [theirs, name] :
       {std::pair{"preferred_output", "chosen"}, {"non_preferred_output", "rejected"}})
    if (row.contains(theirs)) ours[name] = row[theirs];
  return ours;
}

// Under which name a row keeps its prompt; null: it has none.
const char* prompt_key(const OrderedJson& row) {
  for (const char* key : {"prompt", "messages", "conversations"})
    if (row.contains(key)) return key;
  return nullptr;
}

Result<Row> pair_of(Answered chosen, Answered rejected) {
  if (chosen.sample.tokens == rejected.sample.tokens)
    return invalid("chosen and rejected are the same tokens");
  Row pair{{}, chosen.text + rejected.text};
  pair.samples.push_back(std::move(chosen.sample));
  pair.samples.push_back(std::move(rejected.sample));
  return pair;
}

Result<Row> pair_of_conversations(const OrderedJson& row, const DatasetOptions& options) {
  PLINTH_TRY(OrderedJson chosen, as_messages(row, "chosen", "assistant"));
  PLINTH_TRY(OrderedJson rejected, as_messages(row, "rejected", "assistant"));
  OrderedJson prompt;
  if (const char* key = prompt_key(row)) {
    PLINTH_TRY(prompt, as_messages(row, key, "user"));
  } else {
    prompt = shared_beginning(chosen, rejected);
    if (prompt.empty()) return invalid("no prompt, and chosen and rejected begin differently");
    chosen = without_beginning(chosen, prompt.size());
    rejected = without_beginning(rejected, prompt.size());
  }
  OrderedJson frame = OrderedJson::object();
  for (const char* key : {"tools", "system"})
    if (row.contains(key)) frame[key] = row[key];
  PLINTH_TRY(auto first, conversation(frame, prompt, chosen, options));
  PLINTH_TRY(auto second, conversation(frame, prompt, rejected, options));
  return pair_of(std::move(first), std::move(second));
}

Result<Row> read_pair(const OrderedJson& given, const DatasetOptions& options) {
  PLINTH_TRY(const OrderedJson row, in_our_names(given));
  for (const char* key : {"chosen", "rejected"})
    if (!row.contains(key)) return invalid("{} is missing: method dpo learns from pairs", key);
  if (row["chosen"] == row["rejected"]) return invalid("chosen and rejected are the same");
  if (options.chat != nullptr && *options.chat) return pair_of_conversations(row, options);
  PLINTH_TRY(auto chosen, plain(row, "chosen", options));
  PLINTH_TRY(auto rejected, plain(row, "rejected", options));
  return pair_of(std::move(chosen), std::move(rejected));
}

}  // namespace

Result<std::vector<Sample>> preference_samples(const OrderedJson& row,
                                               const DatasetOptions& options) {
  PLINTH_TRY(auto pair, read_pair(row, options));
  return std::move(pair.samples);
}

Result<Dataset> read_preferences(std::span<const Path> paths, const DatasetOptions& options) {
  RowFormat format;
  format.per_item = 2;
  format.line = [&options](std::string_view line) -> Result<Row> {
    PLINTH_TRY(const auto row, parse_row(line));
    return read_pair(row, options);
  };
  format.text = [](const std::string&) -> Result<Row> {
    return invalid("plain text: method dpo learns from pairs");
  };
  return read_rows(paths, options, format);
}

}  // namespace plinth::train
