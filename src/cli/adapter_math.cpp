#include "cli/adapter_math.h"

#include <cstdlib>
#include <map>

#include "cli/bases.h"
#include "core/json.h"
#include "core/log.h"
#include "model/adapter_lineage.h"
#include "model/adapter_math.h"
#include "server/chat_renderer.h"
#include "train/measure.h"

namespace plinth::cli {
namespace {

struct Options {
  std::string base;
  Path adapter;
  std::vector<Path> parts;  // "ADAPTER=WEIGHT"
  std::string type = "f16";
  std::vector<Path> data;
  int64_t rank = 0;
  Path out;
};

struct Part {
  Path path;
  double weight = 1;
  std::shared_ptr<const model::Adapter> adapter;
};

Result<Part> open_part(const std::string& text, const model::ModelConfig& base) {
  Part part{text, 1, nullptr};
  if (const size_t at = text.rfind('='); at != std::string::npos) {
    char* end = nullptr;
    part.weight = std::strtod(text.c_str() + at + 1, &end);
    if (end == text.c_str() + at + 1 || *end != '\0')
      return invalid("{}: what follows '=' is no number", text);
    part.path = text.substr(0, at);
  }
  PLINTH_TRY(part.adapter, model::Adapter::open(part.path, base));
  return part;
}

// Adapters know the base they were tuned on. Over another copy of it, as a quantised one, they mean
// nearly the same; over anything else, nothing.
void compare_base(const Path& adapter, const model::Lineage& lineage, const model::Model& base) {
  const auto it = lineage.find("plinth.base_sha256");
  if (it == lineage.end() || it->second == base.digest()) return;
  log_warn("adapter {} was tuned on the base {}, this one is {}", adapter.string(),
           it->second.substr(0, 12), base.digest().substr(0, 12));
}

Status merge(const Options& options, const Context& context) {
  const auto type = tensor::parse_dtype(options.type);
  if (!type) return invalid("--type {}: no such type (f32, f16, bf16, q8_0, ...)", options.type);
  PLINTH_TRY(const auto base, open_base(options.base, context.home));
  PLINTH_TRY(const auto adapter, model::Adapter::open(options.adapter, base->config()));
  PLINTH_TRY(const auto whole, model::merged(base, *adapter));
  PLINTH_TRY(const auto lineage, model::read_lineage(options.adapter));
  compare_base(options.adapter, lineage, *base);
  Json metadata = lineage;
  metadata["plinth.base_sha256"] = base->digest();
  metadata["plinth.adapter_sha256"] = adapter->digest;
  PLINTH_TRY(model::write_gguf(options.out, *whole, *type, metadata));
  PLINTH_TRY(const auto written, model::Model::open(options.out));
  if (context.json)
    fmt::print("{}\n", to_text({{"path", options.out.string()},
                                {"digest", written->digest()},
                                {"lineage", metadata},
                                {"weight_bytes", written->weight_bytes()}}));
  else
    fmt::print("{} + {} -> {} ({}, {:.1f} MiB)\n", options.base, options.adapter.string(),
               options.out.string(), written->digest().substr(0, 12),
               static_cast<double>(written->weight_bytes()) / (1 << 20));
  return {};
}

// The held-out loss of the base alone, of each part as it is, and of the sum.
Result<Json> effects(const Options& options, const std::shared_ptr<const model::Model>& base,
                     const std::vector<Part>& parts, const model::Adapter& sum) {
  train::ChatRenderer chat;
  if (!base->chat_template().empty()) {
    PLINTH_TRY(chat, server::chat_renderer(base));
  }
  PLINTH_TRY(const auto rows, train::MeasuredRows::read(*base, options.data, chat));
  Json losses = Json::array();
  const auto measure = [&](const std::string& name, const model::Adapter* adapter) {
    losses.push_back({{"what", name}, {"loss", rows.loss(*base, adapter)}});
  };
  measure("base", nullptr);
  for (const auto& part : parts) measure(part.path.string(), part.adapter.get());
  measure("sum", &sum);
  return losses;
}

Status add(const Options& options, const Context& context) {
  PLINTH_TRY(const auto base, open_base(options.base, context.home));
  const auto& config = base->config();
  std::vector<Part> parts;
  std::vector<model::Weighted> weighted;
  model::Lineage lineage = {{"plinth.base_sha256", base->digest()}};
  std::string sum_of;
  for (const auto& text : options.parts) {
    PLINTH_TRY(auto part, open_part(text.string(), config));
    PLINTH_TRY(const auto its, model::read_lineage(part.path));
    compare_base(part.path, its, *base);
    sum_of +=
        fmt::format("{}{} {}", sum_of.empty() ? "" : " + ", part.weight, part.adapter->digest);
    parts.push_back(std::move(part));
  }
  for (const auto& part : parts) weighted.push_back({part.adapter.get(), part.weight});
  lineage["plinth.sum_of"] = sum_of;
  PLINTH_TRY(auto sum, model::weighted_sum(weighted, config));
  double kept = 1;
  if (options.rank > 0) {
    PLINTH_TRY(auto lower, model::refactored(*sum, config, options.rank));
    sum = std::move(lower.adapter);
    kept = lower.kept;
    lineage["plinth.refactored"] = fmt::format("rank {}, {:.4f} kept", options.rank, kept);
  }
  PLINTH_TRY(model::write_peft(options.out, *sum, config, lineage));
  PLINTH_TRY(const auto written, model::Adapter::open(options.out, config));
  Json losses = Json::array();
  if (!options.data.empty()) {
    PLINTH_TRY(losses, effects(options, base, parts, *written));
  }
  if (context.json) {
    fmt::print("{}\n", to_text({{"path", options.out.string()},
                                {"digest", written->digest},
                                {"lineage", lineage},
                                {"kept", kept},
                                {"losses", losses}}));
    return {};
  }
  fmt::print("{} ({})\n", options.out.string(), written->digest.substr(0, 12));
  if (options.rank > 0)
    fmt::print("rank {}: {:.2f} % of the sum's squared norm kept\n", options.rank, 100 * kept);
  for (const auto& row : losses)
    fmt::print("{:>9.4f} nats/token  {}\n", row["loss"].get<double>(),
               row["what"].get<std::string>());
  return {};
}

}  // namespace

void add_adapter_math(Command& group, const Context& context) {
  auto options = std::make_shared<Options>();
  auto merging = group.add("merge", "a base with an adapter in its weights, as one GGUF file",
                           "plinth adapter merge plinth-zh-base run/adapter --out law.gguf");
  merging.option("BASE", options->base, "the base's name or path", true);
  merging.option("ADAPTER", options->adapter, "a PEFT folder or a GGUF file", true);
  merging.option("--type", options->type,
                 "f32, f16, bf16, q8_0, q6_k, q5_k, q5_1, q5_0, q4_k, q4_1 or q4_0");
  merging.option("-o,--out", options->out, "the file to write", true);
  merging.action([options, &context] { return merge(*options, context); });

  auto adding = group.add("add", "the weighted sum of adapters, as a PEFT folder",
                          "plinth adapter add law/adapter=0.5 tax/adapter=0.5 "
                          "--base plinth-zh-base --data heldout.jsonl --out both");
  adding.option("ADAPTERS", options->parts,
                "ADAPTER=WEIGHT, several, all over one base; no weight: 1", true);
  adding.option("--base", options->base, "the base's name or path", true);
  adding.option("--data", options->data, "rows to show the effect on: loss of base, parts and sum");
  adding.option("--rank", options->rank, "the nearest adapter of this rank (0: exact)", 0,
                model::kRankMax);
  adding.option("-o,--out", options->out, "the folder to write", true);
  adding.action([options, &context] { return add(*options, context); });
}

}  // namespace plinth::cli
