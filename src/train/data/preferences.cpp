#include "train/data/preferences.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/hash.h"
#include "core/interrupt.h"
#include "train/data/conversation.h"
#include "train/data/line_stream.h"

namespace plinth::train {
namespace {

constexpr size_t kBadLinesNamed = 20;
constexpr double kBadShareMax = 0.01;

Json message(std::string_view role, const std::string& content) {
  return {{"role", role}, {"content", content}};
}

// A text, a message or a list of messages as messages.
Result<Json> as_messages(const Json& row, const char* key, std::string_view role_of_text) {
  const auto it = row.find(key);
  if (it == row.end()) return invalid("{} is missing", key);
  if (it->is_string()) return Json::array({message(role_of_text, it->get<std::string>())});
  if (it->is_object()) return Json::array({*it});
  if (it->is_array() && !it->empty()) return *it;
  return invalid("{} is {}, not a text, a message or a list of messages", key,
                 it->is_array() ? "an empty list" : it->type_name());
}

int64_t assistant_turns(const Json& messages) {
  return std::count_if(messages.begin(), messages.end(), [](const Json& m) {
    return m.is_object() && string_or(m, "role", "") == "assistant";
  });
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

Result<Sample> conversation(const Json& prompt, const Json& answer, const DatasetOptions& options) {
  Json all = prompt;
  for (const auto& said : answer) all.push_back(said);
  PLINTH_TRY(const auto row, parse_row(to_text(Json{{"messages", all}})));
  PLINTH_TRY(const auto whole, conversation_of(row));
  PLINTH_TRY(auto samples, conversation_samples(whole, options));
  const int64_t turns = assistant_turns(answer);
  if (turns == 0) return invalid("an answer has no assistant message");
  keep_last_turns(turns, samples.back());
  return std::move(samples.back());
}

// Without a chat template.
Result<Sample> plain(const Json& row, const char* key, const DatasetOptions& options) {
  for (const char* needed : {"prompt", key}) {
    const auto it = row.find(needed);
    if (it == row.end() || !it->is_string())
      return invalid("{} is not a text, and the base has no chat template", needed);
  }
  Sample sample;
  sample.tokens = options.tokenizer->encode(row["prompt"].get<std::string>(), false);
  const auto prompt = sample.tokens.size();
  for (const int32_t id : options.tokenizer->encode(row[key].get<std::string>(), false))
    sample.tokens.push_back(id);
  if (const int32_t eos = options.tokenizer->eos(); eos >= 0) sample.tokens.push_back(eos);
  sample.learned.assign(sample.tokens.size(), true);
  // The first token is never predicted.
  std::fill_n(sample.learned.begin(), std::min(std::max<size_t>(prompt, 1), sample.learned.size()),
              false);
  return sample;
}

// The messages that both conversations begin with.
Json shared_beginning(const Json& a, const Json& b) {
  Json shared = Json::array();
  for (size_t i = 0; i < a.size() && i < b.size() && a[i] == b[i]; ++i) shared.push_back(a[i]);
  return shared;
}

Json without_beginning(const Json& messages, size_t n) {
  Json rest = Json::array();
  for (size_t i = n; i < messages.size(); ++i) rest.push_back(messages[i]);
  return rest;
}

// OpenAI's names for the parts of a pair, as ours.
Result<Json> in_our_names(const Json& row) {
  if (!row.contains("preferred_output") && !row.contains("non_preferred_output")) return row;
  const auto input = row.find("input");
  if (input == row.end() || !input->is_object() || !input->contains("messages"))
    return invalid("input is no object with messages");
  if (input->contains("tools") && !(*input)["tools"].empty())
    return make_error(Code::kUnimplemented, "input.tools: pairs are learnt without tools");
  Json ours = {{"messages", (*input)["messages"]}};
  for (const auto& [theirs, name] :
       {std::pair{"preferred_output", "chosen"}, {"non_preferred_output", "rejected"}})
    if (row.contains(theirs)) ours[name] = row[theirs];
  return ours;
}

bool cut(int64_t sequence, Sample& sample, DatasetReport& report) {
  const auto limit = static_cast<size_t>(sequence);
  if (sample.tokens.size() > limit) {
    ++report.truncated_samples;
    report.truncated_tokens += static_cast<int64_t>(sample.tokens.size() - limit);
    sample.tokens.resize(limit);
    sample.learned.resize(limit);
  }
  return sample.loss_tokens() > 0;
}

void take_pair(std::vector<Sample> pair, uint64_t row_hash, const DatasetOptions& options,
               Dataset& dataset) {
  auto& report = dataset.report;
  const bool first = cut(options.sequence, pair[0], report);
  const bool second = cut(options.sequence, pair[1], report);
  if (!first || !second) {
    report.lost_samples += 2;
    return;
  }
  for (auto& sample : pair) {
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
    auto pair = row ? preference_samples(*row, options) : Result<std::vector<Sample>>(row.error());
    if (pair) {
      take_pair(*std::move(pair), xxh3(line), options, dataset);
      continue;
    }
    ++report.bad_rows;
    if (report.bad.size() < kBadLinesNamed)
      report.bad.push_back(
          {fmt::format("{}:{}", path.string(), lines.line_number()), pair.error().message});
  }
}

}  // namespace

Result<std::vector<Sample>> preference_samples(const Json& given, const DatasetOptions& options) {
  if (!given.is_object()) return invalid("the row is not an object");
  PLINTH_TRY(const Json row, in_our_names(given));
  for (const char* key : {"chosen", "rejected"})
    if (!row.contains(key)) return invalid("{} is missing: method dpo learns from pairs", key);
  if (row["chosen"] == row["rejected"]) return invalid("chosen and rejected are the same");
  std::vector<Sample> pair(2);
  if (options.chat == nullptr || !*options.chat) {
    PLINTH_TRY(pair[0], plain(row, "chosen", options));
    PLINTH_TRY(pair[1], plain(row, "rejected", options));
  } else {
    PLINTH_TRY(Json chosen, as_messages(row, "chosen", "assistant"));
    PLINTH_TRY(Json rejected, as_messages(row, "rejected", "assistant"));
    Json prompt;
    if (row.contains("prompt") || row.contains("messages")) {
      PLINTH_TRY(prompt, as_messages(row, row.contains("prompt") ? "prompt" : "messages", "user"));
    } else {
      prompt = shared_beginning(chosen, rejected);
      if (prompt.empty()) return invalid("no prompt, and chosen and rejected begin differently");
      chosen = without_beginning(chosen, prompt.size());
      rejected = without_beginning(rejected, prompt.size());
    }
    PLINTH_TRY(pair[0], conversation(prompt, chosen, options));
    PLINTH_TRY(pair[1], conversation(prompt, rejected, options));
  }
  if (pair[0].tokens == pair[1].tokens) return invalid("chosen and rejected are the same tokens");
  return pair;
}

Result<Dataset> read_preferences(std::span<const Path> files, const DatasetOptions& options) {
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
    return invalid("{} rows, none of them a pair to learn from", report.rows);
  return dataset;
}

}  // namespace plinth::train
