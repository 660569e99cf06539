#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "cli/bases.h"
#include "cli/command.h"
#include "cli/hub_bases.h"
#include "core/clock.h"
#include "core/json.h"
#include "store/store.h"

namespace plinth::cli {
namespace {

struct Options {
  std::string name;
  std::string source;
  HubOptions hub;
  std::string as;
  std::string type = "f16";
  std::string quant;
  Path out;
};

Json describe(const std::string& name, const model::Model& base) {
  const auto& config = base.config();
  Json tensors = Json::object();
  for (const auto& [type, count] : base.tensor_counts())
    tensors[std::string(tensor::dtype_name(type))] = {{"tensors", count.tensors},
                                                      {"bytes", count.bytes}};
  return {{"name", name},
          {"architecture", config.architecture},
          {"digest", base.digest()},
          {"parameters", base.parameters()},
          {"weight_bytes", base.weight_bytes()},
          {"weight_type", tensor::dtype_name(base.weights().layers.front().linear[0].type)},
          {"tensors", tensors},
          {"vocabulary", config.vocabulary},
          {"width", config.width},
          {"layers", config.layers},
          {"heads", config.heads},
          {"kv_heads", config.kv_heads},
          {"head_dim", config.head_dim},
          {"ffn", config.ffn},
          {"context", config.context},
          {"chat_template", !base.chat_template().empty()}};
}

Status list(const Context& context) {
  Json rows = Json::array();
  if (const auto base = model::Model::open_embedded())
    rows.push_back(
        {{"name", kEmbeddedBase}, {"digest", (*base)->digest()}, {"path", "(in this binary)"}});
  if (std::filesystem::exists(context.home / "plinth.db")) {
    PLINTH_TRY(const auto store, store::Store::open(context.home));
    PLINTH_TRY(const auto bases, store->bases());
    for (const auto& base : bases)
      rows.push_back({{"name", base.name}, {"digest", base.digest}, {"path", base.path.string()}});
  }
  if (context.json) {
    fmt::print("{}\n", to_text({{"bases", rows}}));
    return {};
  }
  for (const auto& row : rows)
    fmt::print("{:<24} {}  {}\n", row["name"].get<std::string>(),
               row["digest"].get<std::string>().substr(0, 12), row["path"].get<std::string>());
  return {};
}

Status show(const Options& options, const Context& context) {
  PLINTH_TRY(const auto base, open_base(options.name, context.home));
  Json about = describe(options.name, *base);
  if (const auto origin = origin_of(options.name, context))
    about["origin"] = fmt::format("{}/{} {}", origin->address, origin->repository, origin->commit);
  if (context.json) {
    fmt::print("{}\n", to_text(about));
    return {};
  }
  for (const auto& [key, value] : about.items()) {
    if (key == "tensors") continue;
    fmt::print("{:<14} {}\n", key, value.is_string() ? value.get<std::string>() : to_text(value));
  }
  for (const auto& [type, count] : base->tensor_counts())
    fmt::print("{:<14} {:<5} {:>5} {:>10.1f} MiB\n", "tensors", tensor::dtype_name(type),
               count.tensors, static_cast<double>(count.bytes) / (1 << 20));
  return {};
}

Result<tensor::DType> type_of(std::string_view option, const std::string& name) {
  if (const auto type = tensor::parse_dtype(name)) return *type;
  std::string known;
  for (const auto& of : tensor::kDTypes) known += fmt::format(" {}", of.name);
  return invalid("{} {}: is none of{}", option, name, known);
}

Result<tensor::DType> quantised_type(std::string_view option, const std::string& name) {
  PLINTH_TRY(const auto type, type_of(option, name));
  if (tensor::is_quantised(type)) return type;
  return invalid("{} {}: is not a quantised type (plinth model export writes it)", option, name);
}

Status refuse_embedded(const std::string& name) {
  if (name != kEmbeddedBase) return {};
  return invalid("'{}' is the base inside this binary", kEmbeddedBase);
}

// What was asked for and what became of it, for people.
void print_report(const model::WriteReport& report) {
  for (const auto& [type, bytes] : report.bytes)
    fmt::print("  {:<5} {:>10.1f} MiB\n", tensor::dtype_name(type),
               static_cast<double>(bytes) / (1 << 20));
  // Layers repeat each other: the first of them stands for all.
  constexpr size_t kShown = 8;
  for (size_t i = 0; i < std::min(kShown, report.notes.size()); ++i)
    fmt::print("  {}\n", report.notes[i]);
  if (report.notes.size() > kShown)
    fmt::print("  and {} more such matrices\n", report.notes.size() - kShown);
}

Json to_json(const model::WriteReport& report) {
  Json json = {{"notes", report.notes}, {"bytes_by_type", Json::object()}};
  for (const auto& [type, bytes] : report.bytes)
    json["bytes_by_type"][std::string(tensor::dtype_name(type))] = bytes;
  return json;
}

Status export_gguf(const Options& options, const Context& context) {
  PLINTH_TRY(const auto type, type_of("--type", options.type));
  PLINTH_TRY(const auto base, open_base(options.name, context.home));
  model::WriteReport report;
  PLINTH_TRY(model::write_gguf(options.out, *base, type, {{"plinth.source_digest", base->digest()}},
                               &report));
  if (context.json) {
    Json about = to_json(report);
    about["path"] = options.out.string();
    about["source_digest"] = base->digest();
    fmt::print("{}\n", to_text(about));
    return {};
  }
  fmt::print("{}\n", options.out.string());
  print_report(report);
  return {};
}

// A base to be kept smaller.
struct Quantisation {
  std::string from;  // what the user called it
  std::shared_ptr<const model::Model> base;
  tensor::DType type;
  std::string as;
};

// The file becomes an artifact: it belongs to this machine, as an imported one does not.
Status quantise_into_home(const Quantisation& wanted, const Context& context) {
  const auto& base = *wanted.base;
  PLINTH_TRY(const auto store, store::Store::open(context.home));
  const Path staged = context.home / fmt::format("quantize-{}.tmp", ::getpid());
  const Stopwatch watch;
  model::WriteReport report;
  PLINTH_TRY(model::write_gguf(staged, base, wanted.type, {{"plinth.source_digest", base.digest()}},
                               &report));
  const auto digest = store->artifacts().put_file(staged);
  std::error_code ignored;
  std::filesystem::remove(staged, ignored);
  if (!digest) return digest.error();
  PLINTH_TRY(const Path path, store->artifacts().find(*digest));
  PLINTH_TRY(const auto made, model::Model::open(path));
  PLINTH_TRY(store->put_base({wanted.as, made->digest(), path, system_clock().unix_ms()}));
  if (context.json) {
    Json about = describe(wanted.as, *made);
    about.update(to_json(report));
    about["source_digest"] = base.digest();
    about["source_weight_bytes"] = base.weight_bytes();
    about["seconds"] = watch.seconds();
    fmt::print("{}\n", to_text(about));
    return {};
  }
  fmt::print("{} -> {} ({}): {:.1f} MiB became {:.1f}\n", wanted.from, wanted.as,
             made->digest().substr(0, 12), static_cast<double>(base.weight_bytes()) / (1 << 20),
             static_cast<double>(made->weight_bytes()) / (1 << 20));
  print_report(report);
  return {};
}

Status quantize(const Options& options, const Context& context) {
  PLINTH_TRY(refuse_embedded(options.as));
  PLINTH_TRY(const auto type, quantised_type("--type", options.type));
  PLINTH_TRY(const auto base, open_base(options.name, context.home));
  return quantise_into_home({options.name, base, type, options.as}, context);
}

Status import_model(const Options& options, const Context& context) {
  PLINTH_TRY(refuse_embedded(options.as));
  std::optional<tensor::DType> quant;
  if (!options.quant.empty()) {
    PLINTH_TRY(quant, quantised_type("--quant", options.quant));
  }
  Path source = options.source;
  const bool is_pulled = hub::is_reference(options.source);
  if (is_pulled) {
    PLINTH_TRY(source, pull_base(options.source, options.hub, context));
  }
  std::error_code code;
  const Path path = std::filesystem::canonical(source, code);
  if (code) return not_found("{}: {}", source.string(), code.message());
  const auto opened = model::Model::open(path);
  if (!opened)
    return Error{opened.error().code,
                 opened.error().message + (is_pulled ? " (the download stays there)" : "")};
  const auto& base = *opened;
  if (quant) return quantise_into_home({options.source, base, *quant, options.as}, context);
  PLINTH_TRY(const auto store, store::Store::open(context.home));
  PLINTH_TRY(store->put_base({options.as, base->digest(), path, system_clock().unix_ms()}));
  if (context.json)
    fmt::print("{}\n", to_text(describe(options.as, *base)));
  else
    fmt::print("{} -> {} ({})\n", options.as, path.string(), base->digest().substr(0, 12));
  return {};
}

}  // namespace

void add_model(Command& root, const Context& context) {
  auto options = std::make_shared<Options>();
  auto group =
      root.add("model", "bases: import, list, show, export, quantize", "plinth model list");

  auto importing =
      group.add("import", "register a GGUF file or a Hugging Face folder under a name",
                "plinth model import ./Qwen3-0.6B --as qwen3\n"
                "  plinth model import hf://Qwen/Qwen2.5-0.5B-Instruct --as qwen --quant q4_k");
  importing.option("SOURCE", options->source,
                   "a file or folder, which stays where it is, or a repository to pull: "
                   "hf://ORG/NAME, ms://ORG/NAME, or its page's address",
                   true);
  importing.option("--as", options->as, "the name", true);
  importing.option(
      "--hub", options->hub.address,
      "the hub's address, for a mirror (default $HF_ENDPOINT or $MODELSCOPE_DOMAIN, else "
      "the public hub)");
  importing.option("--revision", options->hub.revision,
                   "a branch, tag or commit of the repository");
  importing.option("--quant", options->quant,
                   "keep a smaller copy in the home instead: q8_0, q6_k, q5_k, q5_1, q5_0, q4_k, "
                   "q4_1 or q4_0");
  importing.option("--file", options->hub.file, "one GGUF file of the repository");
  importing.action([options, &context] { return import_model(*options, context); });

  auto removing = group.add("rm", "forget a base; what was pulled from a hub is deleted",
                            "plinth model rm qwen3");
  removing.option("NAME", options->name, "the name it was imported under", true);
  removing.action([options, &context] { return remove_base(options->name, context); });

  auto listing = group.add("list", "the bases this machine has", "plinth model list --json");
  listing.action([&context] { return list(context); });

  auto showing =
      group.add("show", "shape, types and digest of a base", "plinth model show plinth-zh-base");
  showing.option("MODEL", options->name, "a base's name or path", true);
  showing.action([options, &context] { return show(*options, context); });

  auto exporting = group.add("export", "write a base as one GGUF file",
                             "plinth model export plinth-zh-base --type q8_0 -o base.gguf");
  exporting.option("MODEL", options->name, "a base's name or path", true);
  exporting.option("--type", options->type,
                   "f32, f16, bf16, q8_0, q6_k, q5_k, q5_1, q5_0, q4_k, q4_1 or q4_0");
  exporting.option("-o,--out", options->out, "the file to write", true);
  exporting.action([options, &context] { return export_gguf(*options, context); });

  auto quantizing =
      group.add("quantize", "keep a smaller copy of a base: its matrices in blocks of few bits",
                "plinth model quantize qwen3 --as qwen3-q4 --type q4_k");
  quantizing.option("MODEL", options->name, "a base's name or path", true);
  quantizing.option("--as", options->as, "the name of the copy", true);
  quantizing.option("--type", options->type, "q8_0, q6_k, q5_k, q5_1, q5_0, q4_k, q4_1 or q4_0",
                    true);
  quantizing.action([options, &context] { return quantize(*options, context); });
}

}  // namespace plinth::cli
