#include "server/publish.h"

#include <algorithm>
#include <optional>

#include "cli/audit.h"
#include "cli/bases.h"
#include "cli/command.h"
#include "core/clock.h"
#include "core/hash.h"
#include "core/json.h"
#include "corpus/corpus.h"
#include "eval/verdict.h"
#include "knowledge/knowledge.h"
#include "model/adapter_lineage.h"
#include "store/store.h"

namespace plinth::cli {
namespace {

struct Options {
  std::string name;
  std::string base;
  Path adapter;
  Path proof;
  Path corpus;
  Path system_prompt;
  bool knowledge_in_prompt = false;
};

Result<knowledge::Index> build_knowledge(const Path& corpus_dir) {
  PLINTH_TRY(const auto documents, corpus::read_documents(corpus_dir));
  std::vector<knowledge::Document> converted;
  for (const auto& document : documents) {
    converted.push_back({document.id, document.title, document.text, document.source.path,
                         document.source.sha256,
                         document.source.pages.empty() ? 0 : document.source.pages.front().page});
  }
  return knowledge::Index::build(converted);
}

void print(const store::Release& release, const Context& context) {
  if (context.json)
    fmt::print("{}\n", to_text({{"name", release.name},
                                {"digest", release.digest},
                                {"base", release.base_digest},
                                {"adapter", release.adapter_digest},
                                {"knowledge", release.knowledge_digest},
                                {"created", iso_time(release.created_ms)}}));
  else
    fmt::print("{}@sha256:{}\n", release.name, release.digest);
}

// An adapter that learnt its answers in one template's form is not asked in another's.
Status check_template(const Path& adapter, const model::Model& base) {
  PLINTH_TRY(const auto lineage, model::read_lineage(adapter));
  const auto taught = lineage.find("plinth.template_sha256");
  const auto served = sha256_hex(base.chat_template());
  if (taught == lineage.end() || taught->second == served) return {};
  return make_error(Code::kFailedPrecondition,
                    "adapter {} was tuned with the chat template {}, this base has {}",
                    adapter.string(), taught->second.substr(0, 12), served.substr(0, 12));
}

Status publish(const Options& options, const Context& context) {
  server::PublishRequest request;
  request.name = options.name;
  request.adapter = options.adapter;
  request.knowledge_in_prompt = options.knowledge_in_prompt;
  PLINTH_TRY(request.verdict, read_file(options.proof / "verdict.json", 16u << 20));
  if (!options.system_prompt.empty()) {
    PLINTH_TRY(request.system_prompt, read_file(options.system_prompt, 1u << 20));
  }
  PLINTH_TRY(const auto base, open_base(options.base, context.home));
  request.base_digest = base->digest();
  std::shared_ptr<const model::Adapter> adapter;
  if (!options.adapter.empty()) {
    PLINTH_TRY(adapter, model::Adapter::open(options.adapter, base->config()));
    PLINTH_TRY(check_template(options.adapter, *base));
  }
  PLINTH_TRY(eval::check_proves(request.verdict, *base, adapter.get()));
  std::optional<knowledge::Index> index;
  if (!options.corpus.empty()) {
    PLINTH_TRY(auto built, build_knowledge(options.corpus));
    index = std::move(built);
    request.knowledge = &*index;
  }
  PLINTH_TRY(const auto store, store::Store::open(context.home));
  PLINTH_TRY(const auto release, server::publish(*store, request));
  PLINTH_TRY(
      note_in_audit(context, "publish", {{"name", release.name}, {"digest", release.digest}}));
  print(release, context);
  return {};
}

Status list(const Context& context) {
  PLINTH_TRY(const auto store, store::Store::open(context.home));
  PLINTH_TRY(const auto releases, store->releases());
  PLINTH_TRY(const auto aliases, store->aliases());
  Json rows = Json::array();
  for (const auto& release : releases) {
    const bool live = std::any_of(aliases.begin(), aliases.end(), [&](const store::Alias& alias) {
      return alias.release_digest == release.digest;
    });
    rows.push_back({{"name", release.name},
                    {"digest", release.digest},
                    {"live", live},
                    {"created", iso_time(release.created_ms)}});
  }
  if (context.json) {
    fmt::print("{}\n", to_text({{"releases", rows}}));
    return {};
  }
  for (const auto& row : rows)
    fmt::print("{} {:<24} {}  {}\n", row["live"].get<bool>() ? "*" : " ",
               row["name"].get<std::string>(), row["digest"].get<std::string>().substr(0, 12),
               row["created"].get<std::string>());
  return {};
}

Status rollback(const std::string& name, const Context& context) {
  PLINTH_TRY(const auto store, store::Store::open(context.home));
  PLINTH_TRY(const auto release, store->rollback(name));
  PLINTH_TRY(note_in_audit(context, "rollback", {{"name", name}, {"digest", release.digest}}));
  print(release, context);
  return {};
}

}  // namespace

void add_publish(Command& root, const Context& context) {
  auto options = std::make_shared<Options>();
  auto command =
      root.add("publish", "release a proven domain model under a name; refused without its proof",
               "plinth publish lift --base plinth-zh-base --adapter run/adapter --proof proof "
               "--knowledge corpus");
  command.option("NAME", options->name, "what clients ask for", true);
  command.option("--base", options->base, "the base's name or path", true);
  command.option("--adapter", options->adapter, "a PEFT folder or a GGUF adapter");
  command.option("--proof", options->proof, "what plinth eval --against wrote", true);
  command.option("--knowledge", options->corpus, "a refined corpus to cite from");
  command.option("--system-prompt-file", options->system_prompt,
                 "text that begins every conversation");
  command.flag("--knowledge-in-prompt", options->knowledge_in_prompt,
               "put retrieved passages into the prompt, not only into citations");
  command.action([options, &context] { return publish(*options, context); });
}

void add_release(Command& root, const Context& context) {
  auto group = root.add("release", "releases: list, roll back", "plinth release list");
  auto listing =
      group.add("list", "all releases, newest first, * marks what is live", "plinth release list");
  listing.action([&context] { return list(context); });

  auto name = std::make_shared<std::string>();
  auto rolling =
      group.add("rollback", "point a name at its previous release", "plinth release rollback lift");
  rolling.option("NAME", *name, "the domain model", true);
  rolling.action([name, &context] { return rollback(*name, context); });
}

}  // namespace plinth::cli
