// The wordings of a question.
#include <array>
#include <span>

#include <fmt/format.h>

#include "corpus/data/facts.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

// The question word that fits a value: 多少, 谁, 哪一天, 哪里, 什么.
std::string_view question_word(const Fact& fact) {
  const std::string& value = fact.value;
  const bool digit = value.find_first_of("0123456789") != value.npos;
  if (ends_with_any(fact.attribute, {"负责人", "责任人", "联系人", "人员", "主管", "组长", "经理",
                                     "主任", "作者", "讲师"}))
    return "谁";
  if (ends_with_any(value, {"日", "号"}) && digit && value.find("月") != value.npos)
    return "哪一天";
  if (ends_with_any(fact.attribute, {"办公室", "地点", "地址", "位置", "货位", "货位号", "柜号"}))
    return "哪里";
  if (ends_with_any(fact.attribute, {"型号", "编号", "机型", "牌号", "名称", "代码"}))
    return "什么";
  if (value.ends_with("月") && !value.ends_with("个月") && digit) return "几月";
  const bool amount =
      digit &&
      (value[0] <= '9' || starts_with_any(value, {"每", "约", "万分", "千分", "百分", "≤", "≥"}));
  return amount ? "多少" : "什么";
}

constexpr std::array<std::string_view, 8> kWithSubject = {
    "{s}的{a}{r}{w}？",     "请问{s}的{a}{r}{w}？",    "{s}{a}{r}{w}？",
    "说到{s}，{a}{r}{w}？", "我想知道{s}的{a}。",      "想查一下{s}，{a}{r}{w}？",
    "请告诉我{s}的{a}。",   "你知道{s}的{a}{r}{w}吗？"};

constexpr std::array<std::string_view, 5> kWithout = {
    "{a}{r}{w}？", "请问{a}{r}{w}？", "我想知道{a}。", "请告诉我{a}。", "你知道{a}{r}{w}吗？"};

std::string fill(std::string_view pattern, const Fact& fact) {
  std::string out(pattern);
  out = replace_all(std::move(out), "{r}", fact.relation);
  out = replace_all(std::move(out), "{w}", question_word(fact));
  out = replace_all(std::move(out), "{a}", fact.attribute);
  return replace_all(std::move(out), "{s}", fact.subject);
}

}  // namespace

void add_fact_rows(const Fact& fact, int phrasings, Rng& rng, std::vector<Row>& rows) {
  const std::span<const std::string_view> patterns =
      fact.subject.empty() ? std::span<const std::string_view>(kWithout) : kWithSubject;
  const std::string sentence =
      fmt::format("{}{}{}{}{}。", fact.subject, fact.subject.empty() ? "" : "的", fact.attribute,
                  fact.relation, fact.value);
  // The plain wording always; the others from a seeded starting point.
  const auto shift = static_cast<size_t>(rng.below(patterns.size() - 1));
  for (size_t i = 0; i < std::min(static_cast<size_t>(phrasings), patterns.size()); ++i) {
    const size_t at = i == 0 ? 0 : 1 + (shift + i) % (patterns.size() - 1);
    rows.push_back({fact.generator, fact.source, fill(patterns[at], fact),
                    i % 2 == 0 ? sentence : fact.value + "。"});
  }
}

void add_cloze_row(const Fact& fact, std::vector<Row>& rows) {
  rows.push_back({"cloze", fact.source,
                  fmt::format("填空：{}{}{}{}____。", fact.subject,
                              fact.subject.empty() ? "" : "的", fact.attribute, fact.relation),
                  fact.value});
}

}  // namespace plinth::corpus
