// Review by people: seeded random samples of a corpus as sheets, and the verdicts read back.
#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <queue>

#include "core/hash.h"
#include "core/html_escape.h"
#include "core/json.h"
#include "corpus/corpus.h"
#include "corpus/document_json.h"
#include "corpus/read/csv_parse.h"
#include "corpus/report/verdicts.h"
#include "corpus/shard.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr size_t kTextChars = 2000;  // of a document in a sheet

constexpr std::array<std::string_view, 9> kColumns = {
    "number", "id", "source", "licence", "risk", "text", "verdict", "risk_class", "note"};

struct Drawn {
  uint64_t lot = 0;
  size_t number = 0;  // in the corpus
  std::string line;

  bool operator<(const Drawn& other) const { return lot < other.lot; }
};

// The documents with the smallest hashes of seed and id: a simple random sample that depends on
// neither order nor shards, in one pass.
Result<std::vector<Drawn>> draw(const Path& corpus, const ReviewOptions& options) {
  std::priority_queue<Drawn> drawn;
  size_t number = 0;
  PLINTH_TRY(read_shards(corpus, "documents", [&](std::string_view line) -> Status {
    PLINTH_TRY(const Json json, parse_json(line, corpus.string()));
    PLINTH_TRY(const std::string id, get_string(json, "id"));
    Drawn one{xxh3(id, options.seed), number++, {}};
    if (drawn.size() == static_cast<size_t>(options.sample)) {
      if (!(one < drawn.top())) return {};
      drawn.pop();
    }
    one.line = std::string(line);
    drawn.push(std::move(one));
    return {};
  }));
  std::vector<Drawn> out;
  for (; !drawn.empty(); drawn.pop()) out.push_back(drawn.top());
  std::sort(out.begin(), out.end(),
            [](const Drawn& a, const Drawn& b) { return a.number < b.number; });
  return out;
}

// A cell that a spreadsheet would run as a formula gets a quote in front.
std::string cell(std::string text) {
  if (!text.empty() && std::string_view("=+-@\t").find(text[0]) != std::string_view::npos)
    text.insert(text.begin(), '\'');
  if (text.find_first_of("\",\n\r") == text.npos) return text;
  return fmt::format("\"{}\"", replace_all(std::move(text), "\"", "\"\""));
}

std::string risks_of(const Document& document) {
  std::string out;
  for (const std::string& rule : document.rules)
    if (rule.starts_with("keyword:"))
      out.append(out.empty() ? "" : " ").append(rule.substr(rule.find(':') + 1));
  return out;
}

constexpr std::string_view kSheetHead = R"(<!DOCTYPE html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>语料抽检表 Review sheet</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
body{font:15px/1.6 system-ui,"Noto Sans CJK SC","Microsoft YaHei",sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1c2733}
article{border:1px solid #d5dce4;border-radius:4px;padding:.6rem 1rem;margin:1rem 0;break-inside:avoid}
header{display:flex;justify-content:space-between;gap:1rem;border-bottom:1px solid #e6ebf0;color:#5b6b7b}
pre{white-space:pre-wrap;font:inherit;margin:.5rem 0} .v{white-space:nowrap}
</style></head><body>
<h1>语料抽检表 <small>Review sheet</small></h1>
<p>结论填入 sheet.csv 的 verdict 列：pass 或 fail（合格、不合格）。 Verdicts go into sheet.csv: pass or fail.</p>
)";

std::optional<bool> verdict_of(std::string_view text) {
  const std::string_view word = trim(text);
  for (const std::string_view yes : {"pass", "Pass", "PASS", "合格", "通过", "1", "y", "Y", "yes"})
    if (word == yes) return true;
  for (const std::string_view no :
       {"fail", "Fail", "FAIL", "不合格", "不通过", "0", "n", "N", "no"})
    if (word == no) return false;
  return {};
}

Json rate_json(const PassRate& rate) {
  return {{"reviewed", rate.reviewed},
          {"passed", rate.passed},
          {"rate", rate.rate()},
          {"lo", rate.interval().lo},
          {"hi", rate.interval().hi}};
}

}  // namespace

double PassRate::rate() const {
  return reviewed == 0 ? 0 : static_cast<double>(passed) / static_cast<double>(reviewed);
}

// Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.
ShareInterval PassRate::interval() const {
  if (reviewed == 0) return {0, 1};
  constexpr double kZ = 1.959963984540054;  // 95 %
  const auto n = static_cast<double>(reviewed);
  const double p = rate(), z2 = kZ * kZ;
  const double middle = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kZ / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

Result<int64_t> write_review(const Path& corpus_dir, const Path& out,
                             const ReviewOptions& options) {
  if (options.sample < 1) return invalid("review: a sample of {} documents", options.sample);
  PLINTH_TRY(const auto drawn, draw(corpus_dir, options));
  std::string csv = "\xEF\xBB\xBF", page(kSheetHead);  // the mark: spreadsheets then read UTF-8
  csv += fmt::format("{}\n", fmt::join(kColumns, ","));
  for (const Drawn& one : drawn) {
    PLINTH_TRY(const Json json, parse_json(one.line, corpus_dir.string()));
    PLINTH_TRY(const Document document, document_from_json(json));
    std::string text(prefix_chars(document.text, kTextChars));
    if (text.size() < document.text.size()) text += "…";
    const std::string risks = risks_of(document);
    csv += fmt::format("{},{},{},{},{},{},,,\n", one.number + 1, document.id,
                       cell(document.source.path), cell(document.source.licence), cell(risks),
                       cell(text));
    page += fmt::format(
        "<article><header><span>{} <code>{}</code> {} {}</span><span class=v>☐ 合格 pass ☐ 不合格 "
        "fail</span></header><pre>{}</pre></article>\n",
        one.number + 1, document.id, escape_html(document.source.path), escape_html(risks),
        escape_html(text));
  }
  page += "</body></html>\n";
  PLINTH_TRY(const std::string manifest, sha256_file(corpus_dir / "manifest.json"));
  const Json about = {{"format", "plinth-review"},
                      {"manifest_sha256", manifest},
                      {"seed", options.seed},
                      {"sample", drawn.size()}};
  PLINTH_TRY(make_directories(out));
  PLINTH_TRY(write_file_atomic(out / "sheet.csv", csv));
  PLINTH_TRY(write_file_atomic(out / "sheet.html", page));
  PLINTH_TRY(write_file_atomic(out / "review.json", about.dump(1) + "\n"));
  return static_cast<int64_t>(drawn.size());
}

Result<ReviewReport> read_verdicts(const Path& sheet) {
  PLINTH_TRY(const std::string bytes, read_file(sheet, uint64_t{1} << 30));
  return parse_verdicts(bytes, sheet.string());
}

Result<ReviewReport> parse_verdicts(std::string_view text, std::string_view name) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const auto rows = parse_csv(text, csv_separator(text.substr(0, text.find('\n'))));
  if (rows.empty()) return invalid("{}: no rows", name);
  const auto column = [&](std::string_view wanted) {
    const auto& head = rows[0].cells;
    const auto at = std::find_if(head.begin(), head.end(),
                                 [&](const std::string& c) { return trim(c) == wanted; });
    return static_cast<size_t>(at - head.begin());
  };
  const size_t verdict = column("verdict"), source = column("source"), risk = column("risk_class");
  if (verdict == rows[0].cells.size()) return invalid("{}: no column is called verdict", name);
  ReviewReport out;
  const auto cell_of = [](const CsvRow& row, size_t i) {
    return i < row.cells.size() ? std::string(trim(row.cells[i])) : std::string();
  };
  for (size_t i = 1; i < rows.size(); ++i) {
    const std::string word = cell_of(rows[i], verdict);
    if (word.empty()) {
      ++out.open;
      continue;
    }
    const auto passed = verdict_of(word);
    if (!passed)
      return invalid("{}: row {}: the verdict \"{}\" is neither pass nor fail (合格, 不合格)", name,
                     i + 1, word);
    const std::string path = cell_of(rows[i], source);
    PassRate& of_source = out.by_source[path.substr(0, std::min(path.find('/'), path.size()))];
    for (PassRate* rate : {&out.all, &of_source}) {
      ++rate->reviewed;
      rate->passed += *passed ? 1 : 0;
    }
    if (!*passed) ++out.failed_by_class[cell_of(rows[i], risk)];
  }
  Json by_source = Json::object();
  for (const auto& [path, rate] : out.by_source) by_source[path] = rate_json(rate);
  out.json = Json({{"all", rate_json(out.all)},
                   {"open", out.open},
                   {"by_source", std::move(by_source)},
                   {"failed_by_class", out.failed_by_class}})
                 .dump(1, ' ', false, Json::error_handler_t::replace);
  return out;
}

}  // namespace plinth::corpus
