#include "train/data/dataset.h"

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>

#include "core/hash.h"
#include "core/interrupt.h"
#include "train/data/checks.h"
#include "train/data/conversation.h"
#include "train/data/data_files.h"
#include "train/data/line_stream.h"

namespace plinth::train {
namespace {

constexpr size_t kBadLinesNamed = 20;
constexpr size_t kTextBytesMax = size_t{1} << 30;

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

uint64_t content_hash(const Sample& sample) {
  std::string content(reinterpret_cast<const char*>(sample.tokens.data()),
                      sample.tokens.size() * sizeof(int32_t));
  for (const bool learned : sample.learned) content += learned ? '1' : '0';
  return xxh3(content);
}

// What a row becomes.
struct Row {
  std::vector<Sample> samples;
  std::string text;  // what it says
};

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

// One pass over all files.
class Reading {
 public:
  Reading(const DatasetOptions& options, Dataset& dataset)
      : options_(options), dataset_(dataset), report_(dataset.report) {}

  Status read(size_t file) {
    file_ = file;
    return is_plain_text(dataset_.files[file]) ? read_text() : read_rows();
  }

 private:
  Status read_rows() {
    PLINTH_TRY(auto lines, LineStream::open(path()));
    std::string line;
    while (true) {
      PLINTH_TRY(const bool more, lines.next(line));
      if (!more) return {};
      if (line.find_first_not_of(" \t") == std::string::npos) continue;
      PLINTH_TRY(check_interrupted());
      ++report_.rows;
      line_ = lines.line_number();
      auto row = read_row(line, options_);
      if (row)
        take(*std::move(row), xxh3(line));
      else
        refuse(row.error());
    }
  }

  // The whole file is one row, whose pieces are held out each on its own.
  Status read_text() {
    PLINTH_TRY(auto lines, LineStream::open(path()));
    std::string text;
    std::string line;
    while (true) {
      PLINTH_TRY(const bool more, lines.next(line));
      if (!more) break;
      if (text.size() + line.size() > kTextBytesMax)
        return invalid("{}: more than {} bytes of plain text; refine it into a corpus first",
                       path().string(), kTextBytesMax);
      text += line;
      text += '\n';
    }
    ++report_.rows;
    line_ = 0;
    if (text.empty()) {
      refuse(invalid("the file is empty"));
      return {};
    }
    auto samples = text_samples(text, options_);
    take({std::move(samples), std::move(text)}, std::nullopt);
    return {};
  }

  void refuse(const Error& error) {
    ++report_.bad_rows;
    if (error.code == Code::kFailedPrecondition) ++report_.template_rows;
    if (report_.bad.size() < kBadLinesNamed) report_.bad.push_back({place(), error.message});
  }

  void take(Row row, std::optional<uint64_t> row_hash) {
    if (options_.in_suite && options_.in_suite(row.text)) {
      ++report_.suite_rows;
      note(report_, "suite", place(), "shares text with a suite, not used");
      return;
    }
    uint64_t row_content = 0;
    for (auto& sample : row.samples) {
      sample.content_hash = content_hash(sample);
      row_content = row_content * 31 + sample.content_hash;
      if (!fit(sample)) continue;
      sample.row_hash = row_hash.value_or(sample.content_hash);
      sample.file = static_cast<int32_t>(file_);
      sample.line = line_;
      ++report_.samples;
      report_.tokens += static_cast<int64_t>(sample.tokens.size());
      report_.loss_tokens += sample.loss_tokens();
      dataset_.samples.push_back(std::move(sample));
    }
    if (!seen_.insert(row_content).second) {
      ++report_.duplicate_rows;
      note(report_, "repeated", place(), "the same tokens as an earlier row");
    }
  }

  // Cuts a sample to the longest length and counts what that costs; false: nothing is left to
  // learn.
  bool fit(Sample& sample) {
    const auto limit = static_cast<size_t>(options_.sequence);
    if (const size_t length = sample.tokens.size(); length > limit) {
      ++report_.truncated_samples;
      report_.truncated_tokens += static_cast<int64_t>(length - limit);
      sample.tokens.resize(limit);
      sample.learned.resize(limit);
      note(report_, "cut", place(), fmt::format("{} tokens, {} fit", length, limit));
    }
    if (sample.loss_tokens() > 0) return true;
    ++report_.lost_samples;
    note(report_, "empty", place(), "nothing to learn is left");
    return false;
  }

  const Path& path() const { return dataset_.files[file_]; }

  std::string place() const {
    Sample here;
    here.file = static_cast<int32_t>(file_);
    here.line = line_;
    return place_of(here, dataset_.files);
  }

  const DatasetOptions& options_;
  Dataset& dataset_;
  DatasetReport& report_;
  std::unordered_set<uint64_t> seen_;  // rows by their content
  size_t file_ = 0;
  int64_t line_ = 0;
};

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

std::string place_of(const Sample& sample, std::span<const Path> files) {
  const std::string file = files[static_cast<size_t>(sample.file)].string();
  return sample.line > 0 ? fmt::format("{}:{}", file, sample.line) : file;
}

Result<Dataset> read_dataset(std::span<const Path> paths, const DatasetOptions& options) {
  Dataset dataset;
  PLINTH_TRY(dataset.files, data_files(paths));
  Reading reading(options, dataset);
  for (size_t i = 0; i < dataset.files.size(); ++i) PLINTH_TRY(reading.read(i));
  // Anything goes but this: a run over what is left would learn something else than was asked.
  PLINTH_TRY(check_limits(dataset.report, {options.bad_rows_max, 1, 1, 1, 1}));
  if (dataset.samples.empty())
    return invalid("{} rows, none of them with anything to learn{}", dataset.report.rows,
                   dataset.report.noted.empty() ? "" : ": " + dataset.report.noted[0].reason);
  return dataset;
}

}  // namespace plinth::train
