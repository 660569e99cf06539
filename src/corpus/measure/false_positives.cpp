// Good text that the default recipe rejects: national laws, and technical documents in Markdown.
#include <map>

#include "corpus/measure/measure.h"
#include "corpus/process.h"

namespace plinth::corpus {
namespace {

Result<std::pair<int, int>> rejected(Measurement& m, const std::string& name, const Rules& rules,
                                     std::map<std::string, int>& stages) {
  PLINTH_TRY(const auto documents, m.documents(name));
  int drops = 0;
  for (const auto& [path, text] : documents) {
    Leaf leaf;
    leaf.path = path;
    leaf.kind = Kind::kMarkdown;
    leaf.bytes = text;
    for (const Outcome& outcome : process_leaf(leaf, "", rules).outcomes)
      if (outcome.drop) {
        ++drops;
        ++stages[outcome.drop->stage];
      }
  }
  return std::pair{drops, static_cast<int>(documents.size())};
}

std::string by_stage(const std::map<std::string, int>& stages) {
  std::string out;
  for (const auto& [stage, n] : stages)
    out += fmt::format("{}{} {}", out.empty() ? ": " : ", ", n, stage);
  return out;
}

// Documents of a container that a whole run changes as boilerplate, of how many: all its documents
// are one source.
Result<std::pair<int64_t, int64_t>> loses_lines(Measurement& m, const std::string& name) {
  PLINTH_TRY(const auto temp, TempDirectory::create());
  RefineOptions options;
  options.inputs = {m.path(name)};
  options.out = temp.path() / "corpus";
  PLINTH_TRY(const RefineReport report, refine(options));
  return std::pair{report.found.at("boilerplate_lines"), report.documents_in};
}

}  // namespace

Status measure_false_positives(Measurement& m) {
  PLINTH_TRY(const Rules rules, read_rules({}, {}));
  std::map<std::string, int> stages;
  PLINTH_TRY(const auto laws, rejected(m, "raw/law/laws_md.tar.zst", rules, stages));
  if (laws.second > 0)
    m.add({fmt::format("good laws rejected ({}{})", laws.second, by_stage(stages)),
           100.0 * laws.first / laws.second, "%", 1, true});
  if (laws.second > 0) {
    PLINTH_TRY(const auto cut, loses_lines(m, "raw/law/laws_md.tar.zst"));
    m.add({fmt::format("good laws that lose lines as boilerplate ({})", cut.second),
           100.0 * static_cast<double>(cut.first) / static_cast<double>(cut.second), "%", 1, true});
  }
  stages.clear();
  int drops = 0, all = 0;
  for (const char* name :
       {"pretrain/tidb_docs_zh_md.jsonl.zst", "pretrain/oi_wiki_zh_md.jsonl.zst",
        "pretrain/d2l_zh_md.jsonl.zst", "pretrain/freecodecamp_news_zh_md.jsonl.zst",
        "raw/finance/d365_finance_operations_zh_md.jsonl.zst"}) {
    PLINTH_TRY(const auto some, rejected(m, name, rules, stages));
    drops += some.first;
    all += some.second;
  }
  if (all > 0)
    m.add({fmt::format("good technical documents rejected ({}{})", all, by_stage(stages)),
           100.0 * drops / all, "%", 5, true});
  return {};
}

}  // namespace plinth::corpus
