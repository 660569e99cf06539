#include "train/data/dataset.h"

#include <algorithm>
#include <string>
#include <utility>

#include "train/data/conversation.h"
#include "train/data/row_reading.h"

namespace plinth::train {
namespace {

// One stretch of a conversation, from a byte of its text to the end: what was said, and whether by
// the assistant.
void append(const text::ChatText& chat, size_t begin, bool learned,
            const text::Tokenizer& tokenizer, Sample& sample) {
  const auto ids = text::encode_chat(chat, tokenizer, begin);
  // What a template puts behind the end-of-turn token (ChatML: a line break) is never generated.
  size_t end = ids.size();
  if (learned) {
    while (end > 0 && !tokenizer.is_special(ids[end - 1])) --end;
    if (end == 0) end = ids.size();
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    sample.tokens.push_back(ids[i]);
    sample.learned.push_back(learned && i < end && sample.tokens.size() > 1);
  }
}

Conversation beginning(const Conversation& conversation, size_t messages) {
  Conversation first{text::OrderedJson::array(), conversation.tools};
  for (size_t i = 0; i < messages; ++i) first.messages.push_back(conversation.messages[i]);
  return first;
}

Error template_error(size_t message, const std::string& what) {
  return make_error(Code::kFailedPrecondition, "message {}: {}", message, what);
}

// Would serving know that the answer has ended here?
bool ends_a_turn(const Sample& sample, const text::Tokenizer& tokenizer) {
  for (size_t i = sample.tokens.size(); i-- > 0;) {
    if (!sample.learned[i]) continue;
    const auto ends = text::turn_ends(tokenizer);
    return sample.tokens[i] == tokenizer.eos() ||
           std::ranges::find(ends, sample.tokens[i]) != ends.end();
  }
  return false;
}

Result<Row> read_row(std::string_view line, const DatasetOptions& options) {
  PLINTH_TRY(const auto row, parse_row(line));
  if (const auto text = row.find("text"); text != row.end()) {
    if (!text->is_string()) return invalid("'text' is {}, not a text", text->type_name());
    auto said = text->get<std::string>();
    if (said.empty()) return invalid("text is empty");
    return Row{text_samples(said, options), said};
  }
  PLINTH_TRY(const auto conversation, conversation_of(row));
  PLINTH_TRY(auto samples, conversation_samples(conversation, options));
  return Row{std::move(samples), text_of(conversation)};
}

}  // namespace

int64_t Sample::loss_tokens() const {
  return std::count(learned.begin(), learned.end(), true);
}

std::vector<Sample> text_samples(std::string_view text, const DatasetOptions& options) {
  auto ids = options.tokenizer->encode(text, /*parse_special=*/false);
  if (const int32_t eos = options.tokenizer->eos(); eos >= 0) ids.push_back(eos);
  std::vector<Sample> samples;
  // Pieces overlap by a token: the first of a piece is only context, it was the last of the one
  // before.
  const auto step = static_cast<size_t>(options.sequence - 1);
  for (size_t first = 0; first + 1 < ids.size(); first += step) {
    const size_t n = std::min(step + 1, ids.size() - first);
    Sample sample;
    const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(first);
    sample.tokens.assign(begin, begin + static_cast<std::ptrdiff_t>(n));
    sample.learned.assign(n, true);
    sample.learned[0] = false;
    samples.push_back(std::move(sample));
  }
  return samples;
}

Result<std::vector<Sample>> conversation_samples(const Conversation& conversation,
                                                 const DatasetOptions& options) {
  if (options.chat == nullptr || !*options.chat)
    return make_error(Code::kFailedPrecondition,
                      "a conversation, but the base has no chat template");
  const auto& tokenizer = *options.tokenizer;
  std::vector<Sample> samples;
  std::string said;  // what the last sample's tokens spell
  for (size_t i = 0; i < conversation.messages.size(); ++i) {
    if (conversation.messages[i]["role"] != "assistant") continue;
    const auto prompt = (*options.chat)(beginning(conversation, i), true);
    if (!prompt) return template_error(i, prompt.error().message);
    const auto answered = (*options.chat)(beginning(conversation, i + 1), false);
    if (!answered) return template_error(i, answered.error().message);
    if (!answered->text.starts_with(prompt->text))
      return template_error(i, "the chat template does not write the answer behind its prompt");
    if (samples.empty() || !prompt->text.starts_with(said)) {
      samples.emplace_back();
      said.clear();
    }
    append(*prompt, said.size(), false, tokenizer, samples.back());
    append(*answered, prompt->text.size(), true, tokenizer, samples.back());
    if (!ends_a_turn(samples.back(), tokenizer))
      return template_error(
          i, "the chat template does not end the answer with a token that ends turns");
    said = answered->text;
  }
  if (samples.empty()) return invalid("no assistant message to learn from");
  return samples;
}

Result<Dataset> read_dataset(std::span<const Path> paths, const DatasetOptions& options) {
  RowFormat format;
  format.line = [&options](std::string_view line) { return read_row(line, options); };
  format.text = [&options](std::string text) -> Result<Row> {
    if (text.empty()) return invalid("the file is empty");
    auto samples = text_samples(text, options);
    return Row{std::move(samples), std::move(text)};
  };
  return read_rows(paths, options, format);
}

}  // namespace plinth::train
