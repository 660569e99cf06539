// diff_corpora(): a's documents and rejects by id, then b's against them.
#include <unordered_map>

#include "core/hash.h"
#include "core/json.h"
#include "corpus/corpus.h"
#include "corpus/shard.h"

namespace plinth::corpus {
namespace {

constexpr size_t kExamplesMax = 50;

// What a corpus did with a document.
struct Fate {
  uint64_t text_hash = 0;
  std::string stage;  // empty: kept
  bool met = false;   // b has it too
};

struct Line {
  std::string id;
  std::string path;
  Fate fate;
  std::string reason;
};

Status each_document(const Path& corpus, const std::function<void(Line&&)>& body) {
  for (const char* name : {"documents", "rejects"})
    PLINTH_TRY(read_shards(corpus, name, [&](std::string_view text) -> Status {
      PLINTH_TRY(const Json json, parse_json(text, corpus.string()));
      Line line;
      PLINTH_TRY(line.id, get_string(json, "id"));
      line.fate.text_hash = xxh3(string_or(json, "text", ""));
      line.fate.stage = string_or(json, "stage", "");
      line.reason = string_or(json, "reason", "");
      if (const auto source = json.find("source"); source != json.end() && source->is_object())
        line.path = string_or(*source, "path", "");
      body(std::move(line));
      return {};
    }));
  return {};
}

Result<Json> recipe_of(const Path& corpus) {
  PLINTH_TRY(const auto text, read_file(corpus / "manifest.json"));
  PLINTH_TRY(const Json manifest, parse_json(text, (corpus / "manifest.json").string()));
  const auto recipe = manifest.find("recipe");
  return recipe != manifest.end() && recipe->is_object() ? *recipe : Json::object();
}

std::vector<std::string> recipe_changes(const Json& a, const Json& b) {
  std::vector<std::string> out;
  Json all = a;
  all.update(b);
  for (const auto& [key, unused] : all.items()) {
    const Json before = a.value(key, Json()), after = b.value(key, Json());
    if (before != after)
      out.push_back(fmt::format("{}: {} -> {}", key, to_text(before), to_text(after)));
  }
  return out;
}

class Examples {
 public:
  void add(const char* kind, const std::string& id, const std::string& path,
           const std::string& why) {
    Json& list = lists_[kind];
    if (list.size() < kExamplesMax) list.push_back({{"id", id}, {"path", path}, {"why", why}});
  }

  Json take() { return std::move(lists_); }

 private:
  Json lists_ = Json::object();
};

}  // namespace

Result<CorpusDiff> diff_corpora(const Path& a, const Path& b) {
  CorpusDiff out;
  PLINTH_TRY(const Json recipe_a, recipe_of(a));
  PLINTH_TRY(const Json recipe_b, recipe_of(b));
  out.recipe = recipe_changes(recipe_a, recipe_b);
  std::unordered_map<std::string, Fate> before;
  PLINTH_TRY(each_document(a, [&](Line&& line) { before[line.id] = std::move(line.fate); }));
  Examples examples;
  PLINTH_TRY(each_document(b, [&](Line&& line) {
    const auto it = before.find(line.id);
    const bool kept = line.fate.stage.empty();
    const bool was_kept = it != before.end() && it->second.stage.empty();
    if (it != before.end()) it->second.met = true;
    if (kept && was_kept) {
      const bool same = it->second.text_hash == line.fate.text_hash;
      ++(same ? out.same : out.changed);
      if (!same) examples.add("changed", line.id, line.path, "");
    } else if (kept) {
      ++out.appeared;
      const std::string stage = it == before.end() ? "new" : it->second.stage;
      ++out.appeared_by_stage[stage];
      examples.add("appeared", line.id, line.path, stage);
    } else if (was_kept) {
      ++out.gone;
      ++out.gone_by_stage[line.fate.stage];
      examples.add("gone", line.id, line.path, line.reason);
    }
  }));
  for (const auto& [id, fate] : before)
    if (!fate.met && fate.stage.empty()) {
      ++out.gone;
      ++out.gone_by_stage["not an input"];
    }
  const Json json = {{"same", out.same},
                     {"changed", out.changed},
                     {"appeared", out.appeared},
                     {"gone", out.gone},
                     {"appeared_by_stage", out.appeared_by_stage},
                     {"gone_by_stage", out.gone_by_stage},
                     {"recipe", out.recipe},
                     {"examples", examples.take()}};
  out.json = json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  return out;
}

}  // namespace plinth::corpus
