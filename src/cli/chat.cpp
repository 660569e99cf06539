#include "server/chat.h"

#include <unistd.h>

#include <condition_variable>
#include <iostream>
#include <mutex>

#include "cli/bases.h"
#include "cli/command.h"
#include "cli/kv_option.h"
#include "core/interrupt.h"
#include "core/json.h"
#include "engine/engine.h"
#include "grammar/grammar.h"
#include "server/domain_models.h"

namespace plinth::cli {
namespace {

struct Options {
  std::string model;
  std::string prompt;
  std::string base = kEmbeddedBase;
  int64_t tokens = 128;
  double temperature = 0;
  int64_t seed = 0;
  KvOption kv;
  Path schema;   // empty: none
  Path grammar;  // GBNF; empty: none
};

// What the answers must follow; null: nothing.
Result<std::shared_ptr<const grammar::Grammar>> read_grammar(const Options& options) {
  if (options.schema.empty() && options.grammar.empty())
    return std::shared_ptr<const grammar::Grammar>();
  if (!options.schema.empty() && !options.grammar.empty())
    return invalid("--json-schema and --grammar exclude each other");
  const bool is_schema = !options.schema.empty();
  const Path& file = is_schema ? options.schema : options.grammar;
  PLINTH_TRY(const std::string text, read_file(file));
  auto made = is_schema ? grammar::Grammar::from_schema(text) : grammar::Grammar::from_gbnf(text);
  if (!made) return invalid("{}: {}", file.string(), made.error().message);
  return made;
}

// The same path as the API: domain model by name, its template and knowledge, the engine.
class Conversation {
 public:
  static Result<std::unique_ptr<Conversation>> open(const Options& options,
                                                    const Context& context) {
    auto conversation = std::make_unique<Conversation>();
    conversation->options_ = options;
    PLINTH_TRY(conversation->grammar_, read_grammar(options));
    // A name of a domain model stands on --base; anything else names a base (and adapter) itself.
    PLINTH_TRY(conversation->store_, store::Store::open(context.home));
    const bool published = static_cast<bool>(conversation->store_->alias(options.model));
    PLINTH_TRY(auto loaded, open_model(published ? options.base : options.model, context.home));
    engine::EngineOptions engine_options;
    PLINTH_TRY(options.kv.read_into(engine_options));
    PLINTH_TRY(conversation->engine_, engine::Engine::start(loaded.base, engine_options));
    engine::AdapterPool& adapters = conversation->engine_->adapters();
    PLINTH_TRY(conversation->models_,
               server::DomainModels::create(*conversation->store_, loaded.base, adapters));
    PLINTH_TRY(auto model, conversation->models_->resolve(
                               published ? options.model : conversation->models_->base_name()));
    if (loaded.adapter != nullptr) {
      auto with_adapter = std::make_shared<server::DomainModel>(*model);
      const auto open = [adapter = loaded.adapter]() -> decltype(model::Adapter::open({}, {})) {
        return adapter;
      };
      PLINTH_TRY(with_adapter->adapter,
                 adapters.add({loaded.adapter->name, loaded.adapter->digest, open}));
      model = with_adapter;
    }
    conversation->model_ = std::move(model);
    return conversation;
  }

  // Asks, prints the answer as it comes, remembers both.
  Status ask(const std::string& question, bool json) {
    messages_.push_back({"user", question});
    const auto& base = engine_->model();
    PLINTH_TRY(auto prepared, server::prepare_chat(*model_, base.tokenizer(), messages_));
    engine::Request request;
    request.prompt = std::move(prepared.prompt);
    request.registered = model_->adapter;
    request.sampling.temperature = static_cast<float>(options_.temperature);
    request.sampling.seed = static_cast<uint64_t>(options_.seed);
    request.tokens_max = options_.tokens;
    request.stop_tokens = prepared.stop_tokens;
    request.grammar = grammar_;

    std::mutex mutex;
    std::condition_variable changed;
    bool finished = false;
    Status status;
    std::string answer;
    request.sink = [&](const engine::Event& event) {
      if (!json) {
        std::fwrite(event.text.data(), 1, event.text.size(), stdout);
        std::fflush(stdout);
      }
      const std::lock_guard lock(mutex);
      answer += event.text;
      if (!event.finished) return;
      if (event.reason == engine::FinishReason::kError) status = event.error;
      finished = true;
      changed.notify_one();
    };
    PLINTH_TRY(const auto id, engine_->submit(std::move(request)));
    {
      std::unique_lock lock(mutex);
      while (!finished) {
        changed.wait_for(lock, std::chrono::milliseconds(100));
        if (interrupted()) engine_->cancel(id);
      }
    }
    PLINTH_TRY(std::move(status));
    PLINTH_TRY(check_interrupted());
    if (json) {
      fmt::print("{}\n", to_text({{"answer", answer},
                                  {"citations", server::citations_json(prepared.citations)}}));
    } else {
      fmt::print("\n");
      for (const auto& hit : prepared.citations)
        fmt::print("  [{}] {}{}{}\n", hit.citation.source_path, hit.citation.title,
                   hit.citation.section.empty() ? "" : " > ", hit.citation.section);
    }
    messages_.push_back({"assistant", answer});
    return {};
  }

 private:
  Options options_;
  std::shared_ptr<const grammar::Grammar> grammar_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<server::DomainModels> models_;
  server::DomainModelPtr model_;
  std::unique_ptr<engine::Engine> engine_;
  std::vector<server::Message> messages_;
};

Status run_once(const Options& options, const Context& context) {
  PLINTH_TRY(const auto conversation, Conversation::open(options, context));
  return conversation->ask(options.prompt, context.json);
}

Status converse(const Options& options, const Context& context) {
  PLINTH_TRY(const auto conversation, Conversation::open(options, context));
  const bool terminal = isatty(STDIN_FILENO) == 1;
  std::string line;
  while (true) {
    if (terminal) fmt::print("> ");
    std::fflush(stdout);
    if (!std::getline(std::cin, line)) break;
    if (line.empty()) continue;
    PLINTH_TRY(conversation->ask(line, context.json));
  }
  return check_interrupted();
}

}  // namespace

void add_chat(Command& root, const Context& context) {
  auto options = std::make_shared<Options>();
  const auto add_options = [&](Command& command) {
    command.option("--base", options->base, "the base that a published domain model stands on");
    command.option("--tokens", options->tokens, "length of an answer at most", 1, 4096);
    command.option("--temperature", options->temperature, "0: always the likeliest token", 0, 2);
    command.option("--json-schema", options->schema, "file: answers are JSON of this schema");
    command.option("--grammar", options->grammar, "file: answers follow this GBNF grammar");
    command.option("--seed", options->seed, "of the sampling", 0, INT64_MAX);
    options->kv.add_to(command);
  };
  auto chat = root.add("chat", "talk to a base or a domain model in the terminal",
                       "plinth chat plinth-zh-base");
  chat.option("MODEL", options->model, "a published name, a base, or base+adapter", true);
  add_options(chat);
  chat.action([options, &context] { return converse(*options, context); });

  auto run =
      root.add("run", "one question, one answer", "plinth run plinth-zh-base \"第一条 为了\"");
  run.option("MODEL", options->model, "a published name, a base, or base+adapter", true);
  run.option("PROMPT", options->prompt, "the question", true);
  add_options(run);
  run.action([options, &context] { return run_once(*options, context); });
}

}  // namespace plinth::cli
