#include <cstdlib>

#include "cli/chat_client.h"
#include "cli/command.h"
#include "cli/data_show.h"
#include "core/json.h"
#include "core/progress.h"
#include "corpus/corpus.h"
#include "train/data/conversation.h"

namespace plinth::cli {
namespace {

struct Options {
  Path in;
  Path out;
  std::vector<Path> suites;
  int64_t seed = 1;
  std::string rows = "all";
  bool cloze = false;
  ChatEndpoint model;
  int64_t passages = 200;
  int64_t passage_chars = 300;
};

// Three pairs, whatever the model: servers that know schemas keep to it.
constexpr const char* kPairsFormat = R"({"type": "json_schema", "json_schema": {"name": "pairs",
  "schema": {"type": "array", "minItems": 1, "maxItems": 3, "items": {"type": "object",
  "properties": {"question": {"type": "string", "minLength": 4, "maxLength": 120},
  "answer": {"type": "string", "minLength": 1, "maxLength": 300}},
  "required": ["question", "answer"], "additionalProperties": false}}}})";

// Every shape that `plinth tune` reads, by the same code.
Result<corpus::ShapedRow> shaped(std::string_view line) {
  if (line.starts_with('[') && !parse_json(line, "row"))
    return invalid("a JSON list over several lines: a training file has one row a line");
  PLINTH_TRY(const auto row, train::parse_row(line));
  const auto has = [&](const char* key) { return row.contains(key); };
  const std::string shape = has("messages")        ? "messages"
                            : has("conversations") ? "sharegpt"
                            : has("query")         ? "query"
                            : has("instruction")   ? "alpaca"
                                                   : "text";
  if (shape == "text") {
    PLINTH_TRY(auto plain, corpus::plain_row(line));
    return plain;
  }
  PLINTH_TRY(const auto conversation, train::conversation_of(row));
  PLINTH_TRY(Json messages, parse_json(conversation.messages.dump(), "messages"));
  return corpus::ShapedRow{shape, {{"messages", std::move(messages)}}};
}

Status build(const Options& options, const Context& context) {
  corpus::BuildOptions build_options;
  build_options.seed = static_cast<uint64_t>(options.seed);
  if (options.rows != "all" && options.rows != "text" && options.rows != "questions")
    return invalid("--rows {} is none of: all, text, questions", options.rows);
  build_options.text_rows = options.rows != "questions";
  build_options.question_rows = options.rows != "text";
  build_options.cloze_rows = options.cloze;
  std::unique_ptr<ChatClient> model;
  if (!options.model.model.empty()) {
    PLINTH_TRY(auto opened, ChatClient::open(options.model));
    model = std::make_unique<ChatClient>(std::move(opened));
    build_options.written_passages = options.passages;
    build_options.passage_chars = static_cast<int>(options.passage_chars);
    build_options.writer = [&model,
                            progress =
                                std::make_shared<Progress>("data build: passages", options.passages,
                                                           context.quiet || context.json),
                            asked = int64_t{0}](const std::string& prompt) mutable {
      progress->update(asked++);
      auto answer = model->ask(prompt, kPairsFormat);
      // A passage that does not fit is one answer less, not the end.
      if (!answer && answer.error().code == Code::kInvalidArgument) return Result<std::string>("");
      return answer;
    };
  }
  PLINTH_TRY(const auto report,
             corpus::build_dataset(options.in, options.suites, options.out, build_options));
  if (context.json) {
    fmt::print("{}\n", report.json);
    return {};
  }
  fmt::print("{} rows ({} text, {} questions), {} duplicates and {} exam leaks dropped\n",
             report.rows, report.text_rows, report.message_rows, report.duplicates, report.leaks);
  for (const auto& [generator, n] : report.by_generator) fmt::print("  {:<24} {}\n", generator, n);
  if (model)
    fmt::print(
        "the model: {} answers without a usable pair, {} pairs that do not stand in their "
        "passage\n",
        report.unusable, report.ungrounded);
  return {};
}

Status check(const Options& options, const Context& context) {
  PLINTH_TRY(const auto report, corpus::check_dataset(options.in, options.suites, shaped));
  if (context.json) {
    fmt::print("{}\n", report.json);
  } else {
    fmt::print("{} rows ({} text, {} questions), {} bad, {} duplicates, {} exam leaks\n",
               report.rows, report.text_rows, report.message_rows, report.bad, report.duplicates,
               report.leaks);
    for (const auto& [shape, n] : report.by_shape) fmt::print("  {:<24} {}\n", shape, n);
    const auto lengths = [](const char* name, const corpus::Lengths& l) {
      fmt::print("  {:<24} {} / {} / {} / {}\n", name, l.least, l.median, l.p95, l.most);
    };
    fmt::print("characters: least / median / 95 % / most\n");
    if (report.message_rows > 0) lengths("prompt", report.prompt_chars);
    lengths("learned", report.learned_chars);
    for (const auto& problem : report.problems) fmt::print("  {}\n", problem);
  }
  if (!report.fine())
    return invalid("{}: {} rows, {} bad, {} exam leaks", options.in.string(), report.rows,
                   report.bad, report.leaks);
  return {};
}

}  // namespace

void add_data(Command& root, const Context& context) {
  auto options = std::make_shared<Options>();
  options->model.url = "http://127.0.0.1:8471/v1";
  if (const char* key = std::getenv("PLINTH_KEY")) options->model.key = key;
  auto group = root.add("data", "training data: build from a corpus, check, show",
                        "plinth data check train.jsonl");

  auto building = group.add("build", "training rows from a refined corpus",
                            "plinth data build ./corpus -o train.jsonl --suite exam.jsonl");
  building.option("CORPUS", options->in, "a refined corpus", true);
  building.option("-o,--out", options->out, "the JSONL file to write", true);
  building.option("--suite", options->suites,
                  "exam files: rows that share text with them are dropped");
  building.option("--rows", options->rows, "all, text (the documents) or questions (about them)");
  building.flag("--cloze", options->cloze, "also each fact with its value left out");
  building.option("--model", options->model.model,
                  "a model that also writes questions and answers about passages");
  building.option("--model-url", options->model.url, "its OpenAI-compatible server");
  building.option("--key", options->model.key, "that server's API key (default $PLINTH_KEY)");
  building.option("--passages", options->passages, "passages that the model is asked about", 1,
                  1'000'000);
  building.option("--passage-chars", options->passage_chars, "characters of a passage", 50,
                  100'000);
  building.option("--seed", options->seed, "order and sampling", 0, INT64_MAX);
  building.action([options, &context] { return build(*options, context); });

  auto checking = group.add("check", "validate a training file line by line",
                            "plinth data check train.jsonl --suite exam.jsonl");
  checking.option("FILE", options->in, "JSON Lines: messages, ShareGPT, Alpaca or text", true);
  checking.option("--suite", options->suites, "exam files that must not leak into it");
  checking.action([options, &context] { return check(*options, context); });

  add_data_show(group, context);
}

}  // namespace plinth::cli
