#include "train/data/dataset.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/hash.h"
#include "core/interrupt.h"
#include "train/data/documents.h"
#include "train/data/line_stream.h"

namespace plinth::train {
namespace {

constexpr size_t kBadLinesNamed = 20;
constexpr double kBadShareMax = 0.01;

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

Status check_message(const Json& message) {
  if (!message.is_object()) return invalid("a message is not an object");
  PLINTH_TRY(const auto role, get_string(message, "role"));
  if (role != "system" && role != "user" && role != "assistant" && role != "tool")
    return invalid("role {} is none of system, user, assistant, tool", role);
  PLINTH_TRY(const auto content, get_string(message, "content"));
  if (role == "assistant" && content.empty()) return invalid("an assistant message is empty");
  return {};
}

Json first_messages(const Json& messages, size_t n) {
  Json first = Json::array();
  for (size_t i = 0; i < n; ++i) first.push_back(messages[i]);
  return first;
}

Result<std::vector<Sample>> row_samples(const Json& row, const DatasetOptions& options) {
  if (!row.is_object()) return invalid("the row is not an object");
  if (row.contains("text")) {
    PLINTH_TRY(const auto text, get_string(row, "text"));
    if (text.empty()) return invalid("text is empty");
    return text_samples(text, options);
  }
  PLINTH_TRY(const auto messages, chat_messages(row));
  return conversation_samples(messages, options);
}

// Cuts a sample to the longest length and counts what that costs; false: nothing is left to learn.
bool fit(int64_t sequence, Sample& sample, DatasetReport& report) {
  const auto limit = static_cast<size_t>(sequence);
  if (sample.tokens.size() > limit) {
    ++report.truncated_samples;
    report.truncated_tokens += static_cast<int64_t>(sample.tokens.size() - limit);
    sample.tokens.resize(limit);
    sample.learned.resize(limit);
  }
  const bool usable = sample.loss_tokens() > 0;
  if (!usable) ++report.lost_samples;
  return usable;
}

void take_row(std::vector<Sample> samples, uint64_t row_hash, const DatasetOptions& options,
              Dataset& dataset) {
  auto& report = dataset.report;
  for (auto& sample : samples) {
    if (!fit(options.sequence, sample, report)) continue;
    sample.row_hash = row_hash;
    ++report.samples;
    report.tokens += static_cast<int64_t>(sample.tokens.size());
    report.loss_tokens += sample.loss_tokens();
    dataset.samples.push_back(std::move(sample));
  }
}

Status read_rows(const Path& path, const DatasetOptions& options, Dataset& dataset) {
  PLINTH_TRY(auto lines, LineStream::open(path));
  auto& report = dataset.report;
  std::string line;
  while (true) {
    PLINTH_TRY(const bool more, lines.next(line));
    if (!more) return {};
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    PLINTH_TRY(check_interrupted());
    ++report.rows;
    auto row = parse_json(line, "row");
    auto samples = row ? row_samples(*row, options) : Result<std::vector<Sample>>(row.error());
    if (samples) {
      take_row(*std::move(samples), xxh3(line), options, dataset);
      continue;
    }
    ++report.bad_rows;
    if (report.bad.size() < kBadLinesNamed)
      report.bad.push_back(
          {fmt::format("{}:{}", path.string(), lines.line_number()), samples.error().message});
  }
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

Result<std::vector<Sample>> conversation_samples(const Json& messages,
                                                 const DatasetOptions& options) {
  if (options.chat == nullptr || !*options.chat)
    return invalid("a conversation, but the base has no chat template");
  for (const auto& message : messages) PLINTH_TRY(check_message(message));
  std::vector<Sample> samples;
  std::string said;  // what the last sample's tokens spell
  for (size_t i = 0; i < messages.size(); ++i) {
    if (messages[i]["role"] != "assistant") continue;
    PLINTH_TRY(const auto prompt, (*options.chat)(first_messages(messages, i), true));
    PLINTH_TRY(const auto answered, (*options.chat)(first_messages(messages, i + 1), false));
    if (!answered.text.starts_with(prompt.text))
      return invalid("message {}: the chat template does not write the answer behind its prompt",
                     i);
    if (samples.empty() || !prompt.text.starts_with(said)) {
      samples.emplace_back();
      said.clear();
    }
    append(prompt, said.size(), false, *options.tokenizer, samples.back());
    append(answered, prompt.text.size(), true, *options.tokenizer, samples.back());
    said = answered.text;
  }
  if (samples.empty()) return invalid("no assistant message to learn from");
  return samples;
}

Result<Dataset> read_dataset(std::span<const Path> files, const DatasetOptions& options) {
  Dataset dataset;
  for (const auto& path : files) PLINTH_TRY(read_rows(path, options, dataset));
  const auto& report = dataset.report;
  if (static_cast<double>(report.bad_rows) > kBadShareMax * static_cast<double>(report.rows)) {
    std::string named;
    for (const auto& bad : report.bad) named += fmt::format("\n  {}: {}", bad.place, bad.reason);
    return invalid("{} of {} rows cannot be used (more than 1 %):{}", report.bad_rows, report.rows,
                   named);
  }
  if (dataset.samples.empty())
    return invalid("{} rows, none of them with anything to learn", report.rows);
  return dataset;
}

}  // namespace plinth::train
