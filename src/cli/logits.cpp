#include <algorithm>

#include "cli/bases.h"
#include "cli/command.h"
#include "cli/ids.h"
#include "cli/kv_option.h"
#include "core/json.h"
#include "engine/engine.h"

namespace plinth::cli {
namespace {

struct Options {
  std::string model;
  std::string ids;
  int64_t greedy = 0;
  KvOption kv{"f32"};  // exact, as the references it is compared with
};

Status run(const Options& options, const Context& context) {
  PLINTH_TRY(const auto loaded, open_model(options.model, context.home));
  const auto vocabulary = loaded.base->config().vocabulary;
  PLINTH_TRY(const auto ids, parse_ids(options.ids, static_cast<int32_t>(vocabulary)));
  if (ids.empty()) return invalid("--ids: no ids");
  engine::EngineOptions engine_options;
  PLINTH_TRY(options.kv.read_into(engine_options));
  PLINTH_TRY(const auto engine, engine::Engine::start(loaded.base, engine_options));
  PLINTH_TRY(const auto logits, engine->logits(ids, loaded.adapter));

  Json rows = Json::array();
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto* row = logits.data() + i * static_cast<size_t>(vocabulary);
    rows.push_back(std::vector<float>(row, row + vocabulary));
  }
  // Plain argmax over `greedy` tokens, end-of-text or not: what a reference implementation prints.
  std::vector<int32_t> greedy;
  auto sequence = ids;
  auto last = std::vector<float>(logits.end() - vocabulary, logits.end());
  for (int64_t i = 0; i < options.greedy; ++i) {
    const auto best =
        static_cast<int32_t>(std::max_element(last.begin(), last.end()) - last.begin());
    greedy.push_back(best);
    sequence.push_back(best);
    if (i + 1 == options.greedy) break;
    PLINTH_TRY(const auto next, engine->logits(sequence, loaded.adapter));
    last.assign(next.end() - vocabulary, next.end());
  }
  if (context.json) {
    fmt::print("{}\n", to_text({{"logits", rows}, {"greedy", greedy}}));
    return {};
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto* row = logits.data() + i * static_cast<size_t>(vocabulary);
    const auto* best = std::max_element(row, row + vocabulary);
    const auto id = static_cast<int32_t>(best - row);
    fmt::print("after {:>6}: best {:>6} {:.4f} {}\n", ids[i], id, *best,
               Json(loaded.base->tokenizer().decode(std::span(&id, 1), true))
                   .dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  if (!greedy.empty()) fmt::print("greedy: {}\n", loaded.base->tokenizer().decode(greedy, true));
  return {};
}

}  // namespace

void add_logits(Command& root, const Context& context) {
  auto options = std::make_shared<Options>();
  auto command =
      root.add("logits", "logits after each of the given tokens, and greedy continuations",
               "plinth logits plinth-zh-base --ids 1,403,7 --greedy 64 --json");
  command.option("MODEL", options->model, "a name, a path, or base+adapter", true);
  command.option("--ids", options->ids, "token ids, separated by commas", true);
  command.option("--greedy", options->greedy, "tokens to continue with", 0, 4096);
  options->kv.add_to(command);
  command.action([options, &context] { return run(*options, context); });
}

}  // namespace plinth::cli
