#include <algorithm>
#include <set>

#include "cli/adapter_math.h"
#include "cli/bases.h"
#include "cli/command.h"
#include "core/json.h"
#include "eval/verdict.h"
#include "model/adapter_lineage.h"

namespace plinth::cli {
namespace {

struct Options {
  Path adapter;
  std::string base;
  std::string format;
  Path out;
};

struct Opened {
  std::shared_ptr<const model::Model> base;
  std::shared_ptr<const model::Adapter> adapter;
};

Result<Opened> open(const Options& options, const Context& context) {
  Opened opened;
  PLINTH_TRY(opened.base, open_base(options.base, context.home));
  PLINTH_TRY(opened.adapter, model::Adapter::open(options.adapter, opened.base->config()));
  return opened;
}

Json describe(const Opened& opened) {
  const auto& adapter = *opened.adapter;
  std::set<std::string> linears;
  std::set<int64_t> ranks;
  std::set<std::string> types;
  int64_t deltas = 0;
  int64_t layers = 0;
  int64_t parameters = 0;
  for (const auto& layer : adapter.layers) {
    bool any = false;
    for (size_t i = 0; i < model::kLinears; ++i) {
      if (layer[i].empty()) continue;
      any = true;
      linears.emplace(model::linear_name(static_cast<model::Linear>(i)));
    }
    layers += any ? 1 : 0;
  }
  if (!adapter.embedding.empty()) linears.emplace(model::kEmbeddingTarget);
  if (!adapter.head.empty()) linears.emplace(model::kHeadTarget);
  for (const model::LowRank* delta : model::delta_places(adapter)) {
    if (delta->empty()) continue;
    ++deltas;
    ranks.insert(delta->rank);
    for (const auto& matrix : {delta->a, delta->b}) {
      types.emplace(tensor::dtype_name(matrix.type));
      parameters += matrix.rows * matrix.cols;
    }
  }
  return {{"name", adapter.name},
          {"digest", adapter.digest},
          {"identity", eval::identity_of(&adapter)},  // what a proof names it by
          {"base", opened.base->digest()},
          {"architecture", opened.base->config().architecture},
          {"linears", linears},
          {"layers", layers},
          {"deltas", deltas},
          {"ranks", ranks},
          {"types", types},
          {"parameters", parameters}};
}

Status show(const Options& options, const Context& context) {
  PLINTH_TRY(const auto opened, open(options, context));
  Json about = describe(opened);
  PLINTH_TRY(about["lineage"], model::read_lineage(options.adapter));
  if (context.json) {
    fmt::print("{}\n", to_text(about));
    return {};
  }
  for (const auto& [key, value] : about.items())
    fmt::print("{:<14} {}\n", key, value.is_string() ? value.get<std::string>() : to_text(value));
  return {};
}

Status export_adapter(const Options& options, const Context& context) {
  const bool is_gguf = options.format == "gguf";
  if (!is_gguf && options.format != "peft")
    return invalid("--format {}: is neither peft nor gguf", options.format);
  PLINTH_TRY(const auto opened, open(options, context));
  const auto& config = opened.base->config();
  PLINTH_TRY(const auto lineage, model::read_lineage(options.adapter));
  PLINTH_TRY(is_gguf ? model::write_gguf_adapter(options.out, *opened.adapter, config, lineage)
                     : model::write_peft(options.out, *opened.adapter, config, lineage));
  // Read again: what was written is whole, and has a digest of its own.
  PLINTH_TRY(const auto written, model::Adapter::open(options.out, config));
  if (context.json) {
    Json about = describe({opened.base, written});
    about["path"] = options.out.string();
    about["source_digest"] = opened.adapter->digest;
    fmt::print("{}\n", to_text(about));
    return {};
  }
  fmt::print("{} -> {} ({})\n", options.adapter.string(), options.out.string(),
             written->digest.substr(0, 12));
  return {};
}

}  // namespace

void add_adapter(Command& root, const Context& context) {
  auto options = std::make_shared<Options>();
  auto group =
      root.add("adapter", "adapters: show, export to another format, merge into a base, add up",
               "plinth adapter show run/adapter --base plinth-zh-base");

  auto showing = group.add("show", "what an adapter changes in a base",
                           "plinth adapter show law.gguf --base qwen --json");
  showing.option("ADAPTER", options->adapter, "a PEFT folder or a GGUF file", true);
  showing.option("--base", options->base, "the base's name or path", true);
  showing.action([options, &context] { return show(*options, context); });

  auto exporting = group.add(
      "export", "write an adapter as a PEFT folder or a GGUF file",
      "plinth adapter export run/adapter --base plinth-zh-base --format gguf -o law.gguf");
  exporting.option("ADAPTER", options->adapter, "a PEFT folder or a GGUF file", true);
  exporting.option("--base", options->base, "the base's name or path", true);
  exporting.option("--format", options->format, "peft or gguf", true);
  exporting.option("-o,--out", options->out, "the folder or file to write", true);
  exporting.action([options, &context] { return export_adapter(*options, context); });

  add_adapter_math(group, context);
}

}  // namespace plinth::cli
