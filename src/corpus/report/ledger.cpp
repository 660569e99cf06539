#include "corpus/report/ledger.h"

#include "core/json.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr size_t kExamplesPerStage = 6;
constexpr size_t kExamplesPerRule = 6;
constexpr size_t kSamplesMax = 12;
constexpr size_t kSourcesMax = 10'000;

Json clusters_json(const std::vector<Cluster>& clusters) {
  Json out = Json::array();
  const auto member = [](const ClusterMember& m) {
    return Json{{"id", m.id}, {"path", m.path}, {"similarity", m.similarity}};
  };
  for (const Cluster& cluster : clusters) {
    Json dropped = Json::array();
    for (const ClusterMember& m : cluster.dropped) dropped.push_back(member(m));
    out.push_back({{"kept", {{"id", cluster.kept.id}, {"path", cluster.kept.path}}},
                   {"dropped", std::move(dropped)},
                   {"dropped_total", cluster.dropped_total}});
  }
  return out;
}

int64_t at_or_zero(const std::map<std::string, int64_t>& map, const std::string& key) {
  const auto it = map.find(key);
  return it == map.end() ? 0 : it->second;
}

}  // namespace

const std::vector<std::string>& stage_order() {
  static const std::vector<std::string> kStages = {
      "read",    "length",      "broken",          "language",      "symbols",
      "spam",    "repetition",  "quality",         "keyword",       "exam",
      "licence", "boilerplate", "exact_duplicate", "near_duplicate"};
  return kStages;
}

void Ledger::add_file(const FileFacts& file) {
  (file.leaf ? bytes_unpacked : bytes_in) += file.bytes;
  if (file.continues) return;
  ++(file.leaf ? leaves : files);
  ++files_by_kind[file.kind];
}

void Ledger::add_read(const DocumentFacts& document) {
  ++documents_in;
  chars_in += document.chars_in;
  unreadable += document.stage == "read" ? 1 : 0;
  repaired += document.repaired ? 1 : 0;
  normalised += document.normalised ? 1 : 0;
  if (document.html) {
    ++html_pages;
    html_pages_cleaned += document.blocks_removed > 0 ? 1 : 0;
    html_blocks_removed += document.blocks_removed;
  }
  for (const auto& [kind, count] : document.pii) {
    pii[kind].found += count.found;
    pii[kind].masked += count.masked;
    pii[kind].near_miss += count.near_miss;
  }
  for (const std::string& id : document.risks) ++risks[id].found;
  exam_lines += document.exam_lines;
  exam_documents += document.exam_lines > 0 && document.stage.empty() ? 1 : 0;
  for (const std::string& line : document.exam_samples)
    if (exam_samples.size() < kSamplesMax) exam_samples.push_back(line);
  for (const Effect& effect : document.effects) {
    RuleEffect& rule = rules[effect.rule];
    ++rule.documents;
    rule.chars += effect.chars;
    if (!effect.before.empty() && rule.examples.size() < kExamplesPerRule)
      rule.examples.push_back({document.path, effect.before, effect.after});
  }
}

void Ledger::add_reject(const DocumentFacts& document, const std::function<std::string()>& text) {
  ++rejects_by_stage[document.stage];
  chars_by_stage[document.stage] += document.chars_in;
  auto& list = examples[document.stage];
  if (list.size() < kExamplesPerStage)
    list.push_back({document.path, document.reason, std::string(prefix_chars(trim(text()), 90))});
}

void Ledger::add_kept(const DocumentFacts& document) {
  ++documents_out;
  chars_out += document.chars_out;
  ++documents_by_lang[document.lang];
  for (const std::string& id : document.risks) ++risks[id].kept;
  Licensed& licensed = licences[document.licence];
  ++licensed.documents;
  licensed.chars += document.chars_out;
  const size_t slash = document.path.find('/');
  const std::string folder = slash == std::string::npos ? "." : document.path.substr(0, slash);
  if (sources.size() < kSourcesMax || sources.contains(folder))
    ++sources[folder];
  else
    ++sources["…"];
}

std::map<std::string, int64_t> found_by_kind(const Ledger& ledger) {
  std::map<std::string, int64_t> out;
  out["exact_duplicate"] = at_or_zero(ledger.rejects_by_stage, "exact_duplicate");
  out["near_duplicate"] = at_or_zero(ledger.rejects_by_stage, "near_duplicate");
  out["spam"] = at_or_zero(ledger.rejects_by_stage, "spam");
  out["mojibake"] = ledger.repaired;
  out["boilerplate"] = ledger.html_pages_cleaned;
  const auto lines = ledger.rules.find("boilerplate-lines");
  out["boilerplate_lines"] = lines == ledger.rules.end() ? 0 : lines->second.documents;
  out["unreadable"] = ledger.unreadable;
  out["keyword"] = at_or_zero(ledger.rejects_by_stage, "keyword");
  for (const std::string_view name : kPiiKinds) {
    const std::string kind(name);
    const auto it = ledger.pii.find(kind);
    out[kind] = it == ledger.pii.end() ? 0 : it->second.found;
    out[kind + "_near_miss"] = it == ledger.pii.end() ? 0 : it->second.near_miss;
  }
  return out;
}

std::string report_json(const Ledger& ledger, double seconds) {
  Json funnel = Json::array();
  int64_t left = ledger.documents_in;
  for (const std::string& stage : stage_order()) {
    const int64_t dropped = at_or_zero(ledger.rejects_by_stage, stage);
    left -= dropped;
    funnel.push_back({{"stage", stage}, {"dropped", dropped}, {"left", left}});
  }
  Json pii = Json::object(), near_miss = Json::object();
  for (const auto& [kind, count] : ledger.pii) {
    pii[kind] = {{"found", count.found}, {"masked", count.masked}};
    near_miss[kind] = count.near_miss;
  }
  Json examples = Json::object();
  for (const auto& [stage, list] : ledger.examples)
    for (const RejectExample& e : list)
      examples[stage].push_back({{"path", e.path}, {"reason", e.reason}, {"text", e.snippet}});
  Json rules = Json::object();
  for (const auto& [name, rule] : ledger.rules) {
    Json list = Json::array();
    for (const auto& e : rule.examples)
      list.push_back({{"path", e.path}, {"before", e.before}, {"after", e.after}});
    rules[name] = {
        {"documents", rule.documents}, {"chars", rule.chars}, {"examples", std::move(list)}};
  }
  Json licences = Json::object(), risks = Json::object();
  for (const auto& [name, of] : ledger.licences)
    licences[name] = {{"documents", of.documents}, {"chars", of.chars}};
  for (const auto& [id, of] : ledger.risks) risks[id] = {{"found", of.found}, {"kept", of.kept}};
  const Json report = {
      {"files", ledger.files},
      {"files_by_kind", ledger.files_by_kind},
      {"leaves", ledger.leaves},
      {"bytes_in", ledger.bytes_in},
      {"bytes_unpacked", ledger.bytes_unpacked},
      {"documents_in", ledger.documents_in},
      {"documents_out", ledger.documents_out},
      {"rejects", ledger.documents_in - ledger.documents_out},
      {"rejects_by_stage", ledger.rejects_by_stage},
      {"reject_chars_by_stage", ledger.chars_by_stage},
      {"rules", std::move(rules)},
      {"chars_in", ledger.chars_in},
      {"chars_out", ledger.chars_out},
      {"funnel", std::move(funnel)},
      {"found", found_by_kind(ledger)},
      {"exact_duplicates", at_or_zero(ledger.rejects_by_stage, "exact_duplicate")},
      {"near_duplicates", at_or_zero(ledger.rejects_by_stage, "near_duplicate")},
      {"clusters", {{"exact", clusters_json(ledger.exact)}, {"near", clusters_json(ledger.near)}}},
      {"pii", std::move(pii)},
      {"pii_near_miss", std::move(near_miss)},
      {"mojibake_repaired", ledger.repaired},
      {"normalised", ledger.normalised},
      {"html",
       {{"pages", ledger.html_pages},
        {"pages_cleaned", ledger.html_pages_cleaned},
        {"blocks_removed", ledger.html_blocks_removed}}},
      {"spam", at_or_zero(ledger.rejects_by_stage, "spam")},
      {"unreadable", ledger.unreadable},
      {"exam",
       {{"questions", ledger.suite_questions},
        {"lines_cut", ledger.exam_lines},
        {"documents_cut", ledger.exam_documents},
        {"documents_dropped", at_or_zero(ledger.rejects_by_stage, "exam")}}},
      {"languages", ledger.documents_by_lang},
      {"sources", ledger.sources},
      {"licences", std::move(licences)},
      {"risks", std::move(risks)},
      {"examples", std::move(examples)},
      {"seconds", seconds},
      {"mb_per_s", seconds > 0 ? static_cast<double>(ledger.bytes_in) / 1e6 / seconds : 0.0}};
  return report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace plinth::corpus
