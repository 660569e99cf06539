#include <unistd.h>

#include <algorithm>
#include <filesystem>

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
  Path out;
};

Json describe(const std::string& name, const model::Model& base) {
  const auto& config = base.config();
  return {{"name", name},
          {"architecture", config.architecture},
          {"digest", base.digest()},
          {"parameters", base.parameters()},
          {"weight_bytes", base.weight_bytes()},
          {"weight_type", tensor::dtype_name(base.weights().layers.front().linear[0].type)},
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

Status import_model(const Options& options, const Context& context) {
  if (options.as == kEmbeddedBase)
    return invalid("'{}' is the base inside this binary", kEmbeddedBase);
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
  PLINTH_TRY(const auto store, store::Store::open(context.home));
  PLINTH_TRY(store->put_base({options.as, base->digest(), path, system_clock().unix_ms()}));
  if (context.json)
    fmt::print("{}\n", to_text(describe(options.as, *base)));
  else
    fmt::print("{} -> {} ({})\n", options.as, path.string(), base->digest().substr(0, 12));
  return {};
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
  for (const auto& [key, value] : about.items())
    fmt::print("{:<14} {}\n", key, value.is_string() ? value.get<std::string>() : to_text(value));
  return {};
}

Result<tensor::DType> type_of(const std::string& name) {
  if (const auto type = tensor::parse_dtype(name)) return *type;
  std::string known;
  for (const auto& of : tensor::kDTypes) known += fmt::format(" {}", of.name);
  return invalid("--type {}: is none of{}", name, known);
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

Status export_gguf(const Options& options, const Context& context) {
  PLINTH_TRY(const auto type, type_of(options.type));
  PLINTH_TRY(const auto base, open_base(options.name, context.home));
  model::WriteReport report;
  PLINTH_TRY(model::write_gguf(options.out, *base, type, {{"plinth.source_digest", base->digest()}},
                               &report));
  fmt::print("{}\n", options.out.string());
  print_report(report);
  return {};
}

// The file becomes an artifact: it belongs to this machine, as an imported one does not.
Status quantize(const Options& options, const Context& context) {
  if (options.as == kEmbeddedBase)
    return invalid("'{}' is the base inside this binary", kEmbeddedBase);
  PLINTH_TRY(const auto type, type_of(options.type));
  if (!tensor::is_quantised(type))
    return invalid("--type {}: is not a quantised type (plinth model export writes it)",
                   options.type);
  PLINTH_TRY(const auto base, open_base(options.name, context.home));
  PLINTH_TRY(const auto store, store::Store::open(context.home));
  const Path staged = context.home / fmt::format("quantize-{}.tmp", ::getpid());
  const Stopwatch watch;
  model::WriteReport report;
  PLINTH_TRY(
      model::write_gguf(staged, *base, type, {{"plinth.source_digest", base->digest()}}, &report));
  const auto digest = store->artifacts().put_file(staged);
  std::error_code ignored;
  std::filesystem::remove(staged, ignored);
  if (!digest) return digest.error();
  PLINTH_TRY(const Path path, store->artifacts().find(*digest));
  PLINTH_TRY(const auto made, model::Model::open(path));
  PLINTH_TRY(store->put_base({options.as, made->digest(), path, system_clock().unix_ms()}));
  if (context.json) {
    Json about = describe(options.as, *made);
    about["source_digest"] = base->digest();
    about["source_weight_bytes"] = base->weight_bytes();
    about["seconds"] = watch.seconds();
    about["notes"] = report.notes;
    about["bytes_by_type"] = Json::object();
    for (const auto& [of, bytes] : report.bytes)
      about["bytes_by_type"][std::string(tensor::dtype_name(of))] = bytes;
    fmt::print("{}\n", to_text(about));
    return {};
  }
  fmt::print("{} -> {} ({}): {:.1f} MiB became {:.1f}\n", options.name, options.as,
             made->digest().substr(0, 12), static_cast<double>(base->weight_bytes()) / (1 << 20),
             static_cast<double>(made->weight_bytes()) / (1 << 20));
  print_report(report);
  return {};
}

}  // namespace

void add_model(Command& root, const Context& context) {
  auto options = std::make_shared<Options>();
  auto group =
      root.add("model", "bases: import, list, show, export, quantize", "plinth model list");

  auto importing = group.add("import", "register a GGUF file or a Hugging Face folder under a name",
                             "plinth model import ./Qwen3-0.6B --as qwen3\n"
                             "  plinth model import hf://Qwen/Qwen2.5-0.5B-Instruct --as qwen");
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
