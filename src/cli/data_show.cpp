#include "cli/data_show.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cli/bases.h"
#include "core/json.h"
#include "server/chat_renderer.h"
#include "train/data/dataset.h"
#include "train/data/preferences.h"

namespace plinth::cli {
namespace {

struct Options {
  std::vector<Path> files;
  std::string base = kEmbeddedBase;
  int64_t rows = 3;
  int64_t sequence = 0;
  bool pairs = false;
};

// What marks the tokens with loss, and those without.
struct Marks {
  const char* learned;
  const char* end;
  const char* rest;
  const char* rest_end;
};

constexpr Marks kColours = {"\x1b[30;42m", "\x1b[0m", "\x1b[2m", "\x1b[0m"};
constexpr Marks kPlain = {"[[", "]]", "", ""};

// Stretches of tokens with the same mask, decoded whole: a character may be several tokens.
struct Stretch {
  bool learned = false;
  std::string text;
};

std::vector<Stretch> stretches(const train::Sample& sample, const text::Tokenizer& tokenizer) {
  std::vector<Stretch> all;
  for (size_t begin = 0; begin < sample.tokens.size();) {
    size_t end = begin;
    while (end < sample.tokens.size() && sample.learned[end] == sample.learned[begin]) ++end;
    const std::vector<int32_t> ids(sample.tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                                   sample.tokens.begin() + static_cast<std::ptrdiff_t>(end));
    all.push_back({sample.learned[begin], tokenizer.decode(ids, /*with_special=*/true)});
    begin = end;
  }
  return all;
}

void print_sample(const train::Sample& sample, const train::Dataset& data,
                  const text::Tokenizer& tokenizer) {
  const Marks& marks = isatty(STDOUT_FILENO) == 1 ? kColours : kPlain;
  fmt::print("--- {}  {} tokens, {} with loss\n", train::place_of(sample, data.files),
             sample.tokens.size(), sample.loss_tokens());
  for (const auto& stretch : stretches(sample, tokenizer))
    fmt::print("{}{}{}", stretch.learned ? marks.learned : marks.rest, stretch.text,
               stretch.learned ? marks.end : marks.rest_end);
  fmt::print("\n");
}

Json to_json(const train::Sample& sample, const train::Dataset& data,
             const text::Tokenizer& tokenizer) {
  Json parts = Json::array();
  for (const auto& stretch : stretches(sample, tokenizer))
    parts.push_back({{"learned", stretch.learned}, {"text", stretch.text}});
  return {{"place", train::place_of(sample, data.files)},
          {"tokens", sample.tokens},
          {"loss_tokens", sample.loss_tokens()},
          {"parts", parts}};
}

Status show(const Options& options, const Context& context) {
  PLINTH_TRY(const auto base, open_base(options.base, context.home));
  train::ChatRenderer chat;
  if (!base->chat_template().empty()) {
    PLINTH_TRY(chat, server::chat_renderer(base));
  }
  const int64_t context_tokens = base->config().context;
  train::DatasetOptions reading{
      &base->tokenizer(), &chat,
      options.sequence > 0 ? std::min(options.sequence, context_tokens) : context_tokens};
  reading.bad_rows_max = 1;  // shown, not judged
  PLINTH_TRY(const auto data, options.pairs ? train::read_preferences(options.files, reading)
                                            : train::read_dataset(options.files, reading));
  const auto n = std::min(static_cast<size_t>(options.rows), data.samples.size());
  if (context.json) {
    Json samples = Json::array();
    for (size_t i = 0; i < n; ++i)
      samples.push_back(to_json(data.samples[i], data, base->tokenizer()));
    fmt::print("{}\n", to_text({{"samples", samples}, {"data", train::to_json(data.report)}}));
    return {};
  }
  for (size_t i = 0; i < n; ++i) print_sample(data.samples[i], data, base->tokenizer());
  const auto& report = data.report;
  fmt::print(
      "--- {} rows, {} bad, {} repeated; {} samples, {} tokens, {} with loss; at {} tokens {} cut, "
      "{} empty\n",
      report.rows, report.bad_rows, report.duplicate_rows, report.samples, report.tokens,
      report.loss_tokens, reading.sequence, report.truncated_samples, report.lost_samples);
  for (const auto* lines : {&report.bad, &report.noted})
    for (const auto& line : *lines) fmt::print("  {}: {}\n", line.place, line.reason);
  return {};
}

}  // namespace

void add_data_show(Command& group, const Context& context) {
  auto options = std::make_shared<Options>();
  auto showing = group.add("show", "the tokens of the first samples, those with loss marked",
                           "plinth data show train.jsonl --base plinth-zh-base --rows 3");
  showing.option("FILE", options->files, "what `plinth tune --data` takes", true);
  showing.option("--base", options->base, "the base whose tokenizer and chat template count");
  showing.option("--rows", options->rows, "samples to show", 0, 1'000'000);
  showing.option("--sequence", options->sequence,
                 "longest sample in tokens (0: the base's context)", 0, 1 << 20);
  showing.flag("--pairs", options->pairs,
               "the rows are pairs, as method \"dpo\" reads them: the preferred answer first");
  showing.action([options, &context] { return show(*options, context); });
}

}  // namespace plinth::cli
