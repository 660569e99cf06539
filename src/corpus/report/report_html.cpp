// report.html: one file that opens anywhere, with no script and nothing loaded from outside.
#include <algorithm>

#include <fmt/format.h>

#include "core/html_escape.h"
#include "corpus/report/ledger.h"

namespace plinth::corpus {
namespace {

constexpr std::string_view kHead = R"(<!DOCTYPE html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>语料精炼报告 Refining report</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
body{font:15px/1.6 system-ui,"Noto Sans CJK SC","Microsoft YaHei",sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1c2733}
h1{font-size:1.6rem} h2{font-size:1.15rem;margin-top:2.2rem;border-bottom:1px solid #d5dce4;padding-bottom:.2rem}
table{border-collapse:collapse;width:100%} td,th{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #e6ebf0;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap} small{color:#5b6b7b}
.bar{background:#e6ebf0;height:.9rem;border-radius:2px} .bar i{display:block;height:100%;background:#2f6fb0;border-radius:2px}
.tiles{display:flex;flex-wrap:wrap;gap:.8rem} .tile{background:#f3f6f9;border-radius:4px;padding:.6rem 1rem;min-width:8rem} .tile b{display:block;font-size:1.4rem}
del{background:#fbe3e0;text-decoration:none} ins{background:#dff2e1;text-decoration:none} code{word-break:break-all}
</style></head><body>
<h1>语料精炼报告 <small>Refining report</small></h1>
)";

// Chinese and English names of stages and kinds.
std::string_view label(std::string_view name) {
  struct Label {
    std::string_view name, text;
  };

  static constexpr Label kLabels[] = {
      {"read", "读取 unreadable"},
      {"length", "过短 too short"},
      {"broken", "乱码 broken characters"},
      {"language", "语种 language"},
      {"symbols", "符号过多 symbols"},
      {"spam", "垃圾内容 spam"},
      {"repetition", "重复文字 repetition"},
      {"quality", "质量 quality"},
      {"keyword", "关键词 keywords"},
      {"licence", "无许可登记 no licence entry"},
      {"exam", "考题 exam text"},
      {"boilerplate", "只有样板行 nothing but boilerplate"},
      {"boilerplate-lines", "来源内反复出现的行 lines repeated over a source"},
      {"exam-lines", "考题行 exam lines"},
      {"mojibake", "乱码修复 mojibake repaired"},
      {"exact_duplicate", "完全重复 exact duplicate"},
      {"near_duplicate", "近似重复 near duplicate"},
      {"id_card", "身份证号 identity number"},
      {"phone", "手机号 mobile"},
      {"landline", "固定电话 landline"},
      {"bank_card", "银行卡号 bank card"},
      {"uscc", "统一社会信用代码 organisation code"},
      {"email", "电子邮箱 e-mail"},
      {"ipv4", "IP 地址 IP address"},
      {"passport", "护照号 passport"},
      {"plate", "车牌号 licence plate"},
      {"address", "住址 home address"},
      {"name", "姓名 name with title"}};
  for (const Label& l : kLabels)
    if (l.name == name) return l.text;
  return name;
}

class Page {
 public:
  std::string run(const Ledger& ledger) {
    out_ = kHead;
    tiles(ledger);
    funnel(ledger);
    personal(ledger);
    clusters("近似重复 <small>Near duplicates</small>", ledger.near);
    clusters("完全重复 <small>Exact duplicates</small>", ledger.exact);
    reasons(ledger);
    rules(ledger);
    exams(ledger);
    sources(ledger);
    compliance(ledger);
    out_ += "</body></html>\n";
    return std::move(out_);
  }

 private:
  template <typename... Args>
  void put(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
  }

  void tiles(const Ledger& l) {
    out_ += "<div class=tiles>";
    const auto tile = [&](std::string_view zh, std::string_view en, int64_t value) {
      put("<div class=tile><b>{}</b>{} <small>{}</small></div>", value, zh, en);
    };
    tile("文件", "files", l.files);
    tile("读入文档", "documents read", l.documents_in);
    tile("保留文档", "kept", l.documents_out);
    tile("保留字符", "characters kept", l.chars_out);
    tile("乱码修复", "mojibake repaired", l.repaired);
    tile("网页样板块移除", "page blocks removed", l.html_blocks_removed);
    tile("考题行移除", "exam lines cut", l.exam_lines);
    out_ += "</div>\n";
  }

  void funnel(const Ledger& l) {
    out_ +=
        "<h2>漏斗 <small>Funnel</small></h2><table><tr><th>阶段 Stage<th class=n>去除 Dropped<th "
        "class=n>剩余 Left<th style='width:50%'></tr>\n";
    int64_t left = l.documents_in;
    for (const std::string& stage : stage_order()) {
      const auto it = l.rejects_by_stage.find(stage);
      const int64_t dropped = it == l.rejects_by_stage.end() ? 0 : it->second;
      left -= dropped;
      const double share = l.documents_in == 0 ? 0
                                               : 100.0 * static_cast<double>(left) /
                                                     static_cast<double>(l.documents_in);
      put("<tr><td>{}<td class=n>{}<td class=n>{}<td><div class=bar><i "
          "style='width:{:.1f}%'></i></div></tr>\n",
          escape_html(label(stage)), dropped, left, share);
    }
    out_ += "</table>\n";
  }

  void personal(const Ledger& l) {
    out_ += "<h2>个人信息 <small>Personal data</small></h2>";
    if (l.pii.empty()) {
      out_ += "<p>未发现。 None found.</p>\n";
      return;
    }
    out_ +=
        "<table><tr><th>类型 Kind<th class=n>发现 Found<th class=n>遮盖 Masked<th "
        "class=n>形似而校验不过 Near misses</tr>\n";
    for (const auto& [kind, count] : l.pii)
      put("<tr><td>{}<td class=n>{}<td class=n>{}<td class=n>{}</tr>\n", escape_html(label(kind)),
          count.found, count.masked, count.near_miss);
    out_ += "</table>\n";
  }

  void clusters(std::string_view title, const std::vector<Cluster>& list) {
    constexpr size_t kShown = 200;
    put("<h2>{}</h2>", title);
    if (list.empty()) {
      out_ += "<p>无。 None.</p>\n";
      return;
    }
    out_ += "<table><tr><th>保留 Kept<th>去除 Dropped<th class=n>相似度 Similarity</tr>\n";
    for (size_t i = 0; i < std::min(list.size(), kShown); ++i)
      for (const ClusterMember& member : list[i].dropped)
        put("<tr><td>{}<td>{}<td class=n>{:.3f}</tr>\n", escape_html(list[i].kept.path),
            escape_html(member.path), member.similarity);
    out_ += "</table>\n";
  }

  void reasons(const Ledger& l) {
    out_ +=
        "<h2>去除原因与例子 <small>Reasons and examples</small></h2><table><tr><th>阶段 "
        "Stage<th>文件 File<th>原因 Reason<th>片段 Text</tr>\n";
    for (const std::string& stage : stage_order()) {
      const auto it = l.examples.find(stage);
      if (it == l.examples.end()) continue;
      for (const RejectExample& e : it->second)
        put("<tr><td>{}<td>{}<td>{}<td>{}</tr>\n", escape_html(label(stage)), escape_html(e.path),
            escape_html(e.reason), escape_html(e.snippet));
    }
    out_ += "</table>\n";
  }

  void rules(const Ledger& l) {
    if (l.rules.empty()) return;
    out_ +=
        "<h2>改动文字的规则 <small>Rules that change text</small></h2><table><tr><th>规则 Rule<th "
        "class=n>文档 Documents<th class=n>字符 Characters<th>例 Examples</tr>\n";
    for (const auto& [name, rule] : l.rules) {
      put("<tr><td>{}<td class=n>{}<td class=n>{}<td>", escape_html(label(name)), rule.documents,
          rule.chars);
      for (const auto& e : rule.examples)
        put("<p><small>{}</small><br><del>{}</del><br><ins>{}</ins></p>", escape_html(e.path),
            escape_html(e.before), escape_html(e.after));
      out_ += "</tr>\n";
    }
    out_ += "</table>\n";
  }

  void exams(const Ledger& l) {
    if (l.suite_questions == 0) return;
    put("<h2>考题去污 <small>Decontamination</small></h2><p>题目 {} 道，移除 {} 行，涉及文档 {} "
        "篇。 "
        "{} questions, {} lines cut in {} documents.</p>\n",
        l.suite_questions, l.exam_lines, l.exam_documents, l.suite_questions, l.exam_lines,
        l.exam_documents);
    for (const std::string& line : l.exam_samples) put("<p><del>{}</del></p>\n", escape_html(line));
  }

  void sources(const Ledger& l) {
    out_ +=
        "<h2>来源 <small>Sources</small></h2><table><tr><th>文件夹 Folder<th class=n>文档 "
        "Documents</tr>\n";
    for (const auto& [name, documents] : l.sources)
      put("<tr><td>{}<td class=n>{}</tr>\n", escape_html(name), documents);
    out_ += "</table>\n";
  }

  void compliance(const Ledger& l) {
    out_ +=
        "<h2>许可 <small>Licences</small></h2><table><tr><th>许可 Licence<th class=n>文档 "
        "Documents<th class=n>字符 Characters</tr>\n";
    for (const auto& [name, of] : l.licences)
      put("<tr><td>{}<td class=n>{}<td class=n>{}</tr>\n",
          name.empty() ? "未登记 not in the register" : escape_html(name), of.documents, of.chars);
    out_ += "</table>\n";
    if (l.risks.empty()) return;
    out_ +=
        "<h2>风险类别 <small>Risk classes by keyword</small></h2><table><tr><th>类别 Class<th "
        "class=n>命中文档 Documents<th class=n>其中保留 Kept</tr>\n";
    for (const auto& [id, of] : l.risks)
      put("<tr><td>{}<td class=n>{}<td class=n>{}</tr>\n", escape_html(id), of.found, of.kept);
    out_ += "</table>\n";
  }

  std::string out_;
};

}  // namespace

std::string report_html(const Ledger& ledger) {
  return Page().run(ledger);
}

}  // namespace plinth::corpus
