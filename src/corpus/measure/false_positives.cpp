// Good text that the profiles of filters reject: laws, technical documents, books, pages, ...
#include <map>
#include <span>

#include "core/json.h"
#include "corpus/measure/measure.h"
#include "corpus/process.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

struct Tally {
  int documents = 0;
  std::map<std::string, int> stages;  // of those rejected

  int rejected() const {
    int sum = 0;
    for (const auto& [unused, n] : stages) sum += n;
    return sum;
  }
};

void judge_text(const std::string& path, std::string text, Kind kind, const Rules& rules,
                Tally& tally) {
  Leaf leaf;
  leaf.path = path;
  leaf.kind = kind;
  leaf.bytes = std::move(text);
  for (const Outcome& outcome : process_leaf(leaf, "", rules).outcomes) {
    ++tally.documents;
    if (outcome.drop) ++tally.stages[outcome.drop->stage];
  }
}

Status judge_files(Measurement& m, std::span<const char* const> names, Kind kind,
                   const Rules& rules, Tally& tally) {
  for (const std::string name : names) {
    if (kind == Kind::kJsonl) {
      PLINTH_TRY(const auto rows, m.rows(name));
      if (!rows.empty())
        judge_text(name, fmt::format("{}", fmt::join(rows, "\n")), kind, rules, tally);
      continue;
    }
    PLINTH_TRY(auto documents, m.documents(name));
    for (auto& [path, text] : documents) judge_text(path, std::move(text), kind, rules, tally);
  }
  return {};
}

Result<Rules> rules_of(std::string_view profile) {
  RefineRecipe recipe;
  recipe.profile = profile;
  return read_rules(recipe, {});
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

std::string without_space(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (static_cast<unsigned char>(c) > ' ') out.push_back(c);
  return out;
}

// The lines of a page, its markup taken away, that are not in its content.
std::string lines_beside(std::string_view page, std::string_view content) {
  std::string text;
  for (size_t at = 0; at < page.size();) {
    if (page[at] != '<') {
      text.push_back(page[at++]);
      continue;
    }
    const std::string_view tag = page.substr(at);
    const std::string_view end = starts_with_any(tag, {"<script", "<SCRIPT"}) ? "</script>"
                                 : starts_with_any(tag, {"<style", "<STYLE"}) ? "</style>"
                                                                              : ">";
    const size_t close = page.find(end, at);
    at = close == page.npos ? page.size() : close + end.size();
    text.push_back('\n');
  }
  std::string out;
  each_line(text, [&](std::string_view line) {
    const std::string bare = without_space(line);
    if (!bare.empty() && content.find(bare) == content.npos) out.append(trim(line)) += '\n';
  });
  return out;
}

// Good texts of a kind, held to the limits of its profile.
struct GoodSet {
  const char* profile;
  const char* what;
  Kind kind;
  double target;  // %
  std::vector<const char*> files;
};

const std::vector<const char*> kLaws = {"raw/law/laws_md.tar.zst"};
const std::vector<const char*> kTechnical = {
    "pretrain/tidb_docs_zh_md.jsonl.zst", "pretrain/oi_wiki_zh_md.jsonl.zst",
    "pretrain/d2l_zh_md.jsonl.zst", "pretrain/freecodecamp_news_zh_md.jsonl.zst",
    "raw/finance/d365_finance_operations_zh_md.jsonl.zst"};

Status measure_good_sets(Measurement& m) {
  const GoodSet sets[] = {
      {"general", "good laws", Kind::kMarkdown, 1, kLaws},
      {"general", "good technical documents", Kind::kMarkdown, 5, kTechnical},
      {"law", "good laws", Kind::kMarkdown, 1, kLaws},
      {"technical", "good technical documents", Kind::kMarkdown, 5, kTechnical},
      {"table",
       "tables of questions and results",
       Kind::kCsv,
       5,
       {"raw/medicine/toyhom_sample_internal_5000-6000.csv.zst"}},
      {"books",
       "classical books",
       Kind::kText,
       5,
       {"raw/medicine/tcm_ancient_books_gb18030.tar.zst"}},
      {"dialogue",
       "questions with answers",
       Kind::kJsonl,
       5,
       {"sft/huatuo_llama_data.jsonl.zst", "sft/alpaca_chinese_carbonz0.jsonl.zst",
        "sft/disc_fin_consulting_part.jsonl.zst"}}};
  for (const GoodSet& set : sets) {
    PLINTH_TRY(const Rules rules, rules_of(set.profile));
    Tally tally;
    PLINTH_TRY(judge_files(m, set.files, set.kind, rules, tally));
    if (tally.documents == 0) continue;
    m.add({fmt::format("profile {}: {} rejected ({}{})", set.profile, set.what, tally.documents,
                       by_stage(tally.stages)),
           100.0 * tally.rejected() / tally.documents, "%", set.target, true});
  }
  return {};
}

// What people marked as the content of Chinese pages, and the lines of the pages beside it.
Status measure_web(Measurement& m) {
  PLINTH_TRY(const Rules rules, rules_of("web"));
  PLINTH_TRY(const auto rows, m.rows("raw/html/magic_html_gold.jsonl.zst"));
  PLINTH_TRY(const auto pages, m.documents("raw/html/magic_html_pages.tar.zst"));
  std::map<std::string, std::string> content;  // by name of file, without white space
  Tally good, rest;
  for (const std::string& line : rows) {
    PLINTH_TRY(const Json row, parse_json(line, "gold"));
    if (string_or(row, "lang", "") != "zh") continue;
    const std::string text = string_or(row, "content", "");
    judge_text("gold", text, Kind::kText, rules, good);
    content[Path(string_or(row, "file", "")).filename().string()] = without_space(text);
  }
  for (const auto& [path, page] : pages)
    if (const auto gold = content.find(Path(path).filename().string()); gold != content.end())
      judge_text(path, lines_beside(page, gold->second), Kind::kText, rules, rest);
  if (good.documents == 0 || rest.documents == 0) return {};
  m.add({fmt::format("profile web: contents of pages rejected ({}{})", good.documents,
                     by_stage(good.stages)),
         100.0 * good.rejected() / good.documents, "%", 0});
  m.add({fmt::format("profile web: other lines of these pages rejected ({}{})", rest.documents,
                     by_stage(rest.stages)),
         100.0 * rest.rejected() / rest.documents, "%", 0});
  return {};
}

}  // namespace

Status measure_false_positives(Measurement& m) {
  PLINTH_TRY(measure_good_sets(m));
  PLINTH_TRY(measure_web(m));
  if (!std::filesystem::exists(m.path(kLaws[0]))) return {};
  PLINTH_TRY(const auto cut, loses_lines(m, kLaws[0]));
  m.add({fmt::format("good laws that lose lines as boilerplate ({})", cut.second),
         100.0 * static_cast<double>(cut.first) / static_cast<double>(cut.second), "%", 1, true});
  return {};
}

}  // namespace plinth::corpus
