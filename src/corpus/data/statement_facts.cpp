// Statements to facts. No parser of Chinese: a relation word divides a clause, known names and the
// particle 的 divide what stands before it. Precision comes first; a sentence that is not
// understood is left to the text rows.
#include <algorithm>
#include <array>

#include "corpus/data/facts.h"
#include "corpus/data/sentences.h"
#include "corpus/outline.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr size_t kValueCharsMax = 24;
constexpr size_t kSubjectCharsMax = 24;
constexpr size_t kAttributeCharsMax = 14;

struct Relation {
  std::string_view word;  // in the text
  std::string_view says;  // in the question and the answer
  bool number_only;       // the value must hold a number
};

// Longer words first: 不得少于 before 少于. Those marked number_only are too common otherwise.
constexpr std::array kRelations = {Relation{"不得小于", "不得小于", true},
                                   Relation{"不得低于", "不得低于", true},
                                   Relation{"不得少于", "不得少于", true},
                                   Relation{"不得超过", "不得超过", true},
                                   Relation{"不得大于", "不得大于", true},
                                   Relation{"不得高于", "不得高于", true},
                                   Relation{"不应超过", "不应超过", true},
                                   Relation{"不应小于", "不应小于", true},
                                   Relation{"不应大于", "不应大于", true},
                                   Relation{"不应低于", "不应低于", true},
                                   Relation{"不能超过", "不得超过", true},
                                   Relation{"不小于", "不小于", true},
                                   Relation{"不低于", "不低于", true},
                                   Relation{"不少于", "不少于", true},
                                   Relation{"不超过", "不超过", true},
                                   Relation{"不大于", "不大于", true},
                                   Relation{"统一调到", "是", true},
                                   Relation{"标准值为", "是", true},
                                   Relation{"整定为", "是", true},
                                   Relation{"设置为", "是", true},
                                   Relation{"调整为", "是", true},
                                   Relation{"核定为", "是", true},
                                   Relation{"约定为", "是", true},
                                   Relation{"规定为", "是", false},
                                   Relation{"设定为", "是", false},
                                   Relation{"统一为", "是", false},
                                   Relation{"登记为", "是", false},
                                   Relation{"合计", "是", true},
                                   Relation{"定为", "是", false},
                                   Relation{"记为", "是", false},
                                   Relation{"定在", "是", false},
                                   Relation{"仍按", "是", true},
                                   Relation{"须满", "须满", true},
                                   Relation{"应为", "应为", false},
                                   Relation{"应当为", "应为", false},
                                   Relation{"就是", "是", false},
                                   Relation{"仍是", "是", false},
                                   Relation{"调到", "是", true},
                                   Relation{"达到", "达到", true},
                                   Relation{"取", "是", true},
                                   Relation{"是", "是", false},
                                   Relation{"为", "是", false}};

bool has_number(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const char32_t c = next_char(text, i);
    if (is_digit(c) ||
        std::u32string_view(U"一二三四五六七八九十百千万两半").find(c) != std::u32string_view::npos)
      return true;
  }
  return false;
}

bool has_digit(std::string_view text) {
  return text.find_first_of("0123456789") != text.npos;
}

// Words that point elsewhere, or open a clause that states nothing.
bool points_elsewhere(std::string_view text) {
  return text.empty() ||
         starts_with_any(text,
                         {"这",   "那",   "它",   "其",   "该",   "此",   "他",   "她",   "我",
                          "你",   "您",   "上述", "以上", "以下", "前款", "本条", "什么", "谁",
                          "如果", "因为", "所以", "但",   "而",   "凡",   "不",   "也",   "又",
                          "都",   "并",   "且",   "还",   "就",   "才",   "要",   "应",   "可",
                          "当",   "虽",   "若",   "只",   "多半", "先",   "再",   "另",   "或"});
}

// What 的 leaves behind when it ends a clause of its own: "装的主要是", "负责的一般是".
bool is_adverb(std::string_view text) {
  static constexpr std::array<std::string_view, 16> kAdverbs = {
      "主要", "大多", "多数", "全部", "一般", "通常", "目前", "现在",
      "这里", "地方", "时候", "东西", "人",   "事",   "话",   "往往"};
  return std::find(kAdverbs.begin(), kAdverbs.end(), text) != kAdverbs.end();
}

// Signs that a clause tells what happens instead of naming a thing.
bool has_verb(std::string_view text) {
  static constexpr std::array<std::string_view, 15> kSigns = {"也", "能",   "会",   "了",   "着",
                                                              "把", "被",   "让",   "哪",   "要",
                                                              "不", "可以", "应当", "必须", "就"};
  return std::any_of(kSigns.begin(), kSigns.end(),
                     [&](auto sign) { return text.find(sign) != text.npos; });
}

// "云桅V3乘客电梯维护手册" -> "云桅V3乘客电梯": what a title is about.
std::string_view subject_of_title(std::string_view title) {
  for (const std::string_view tail :
       {"维护手册", "操作手册", "使用手册", "用户手册", "说明书", "使用说明", "手册", "巡检报告",
        "事件报告", "报告", "简介", "介绍", "档案", "说明"})
    if (title.ends_with(tail) && title.size() > tail.size() + 3)
      return trim(title.substr(0, title.size() - tail.size()));
  return {};
}

class StatementReader {
 public:
  StatementReader(const Document& document, const Lexicon& lexicon)
      : document_(document), lexicon_(lexicon) {}

  std::vector<Fact> run() {
    const std::string_view title_subject = known_subject_in(document_.title).empty()
                                               ? subject_of_title(document_.title)
                                               : known_subject_in(document_.title);
    const std::string_view text = document_.text;
    for (const Section& section : sections(text)) {
      const std::string_view here = known_subject_in(section.heading);
      carried_ = here.empty() ? title_subject : here;
      each_line(text.substr(section.body, section.end - section.body), [&](std::string_view line) {
        if (line.starts_with("|") || line.starts_with("问") || line.starts_with("Q")) return;
        for (const std::string_view sentence : sentences_of(line)) read_sentence(sentence);
      });
    }
    return std::move(facts_);
  }

 private:
  // The longest name of the lexicon that occurs in the text.
  std::string_view known_subject_in(std::string_view text) const {
    std::string_view best;
    for (const std::string& name : lexicon_.subjects) {
      const size_t at = text.find(name);
      if (at != text.npos && name.size() > best.size()) best = text.substr(at, name.size());
    }
    return best;
  }

  std::string_view known_attribute_at_end(std::string_view text) const {
    // Suffixes from the longest: the first one that is known wins.
    for (size_t at = 0; at < text.size();) {
      if (lexicon_.attributes.contains(text.substr(at))) return text.substr(at);
      next_char(text, at);
    }
    return {};
  }

  // A subject named in an earlier clause holds for the rest of its sentence.
  void read_sentence(std::string_view sentence) {
    const std::string_view outer = carried_;
    for (const std::string_view clause : clauses_of(sentence)) {
      read_clause(clause);
      const std::string_view named = known_subject_in(clause);
      if (!named.empty()) carried_ = named;
    }
    carried_ = outer;
  }

  void read_clause(std::string_view clause) {
    if (count_chars(clause) > 60) return;
    for (const Relation& relation : kRelations) {
      const size_t at = clause.find(relation.word);
      if (at == clause.npos || at == 0) continue;
      const std::string_view left = trim(clause.substr(0, at));
      const std::string_view right = trim(clause.substr(at + relation.word.size()));
      if (try_fact(left, right, relation)) return;
      if (relation.word == "是" && try_swapped(left, right)) return;
      // The longest relation word decides; a shorter one inside it would cut wrongly.
      if (relation.word.size() > std::string_view("为").size()) return;
    }
    read_bare(clause);
  }

  bool try_fact(std::string_view left, std::string_view value, const Relation& relation) {
    if (value.empty() || count_chars(value) > kValueCharsMax) return false;
    if (relation.number_only && !has_number(value)) return false;
    // Passive and comparing uses of 为 and 是: 以…为主, 为了, 认为, 因为, 是否, 是因为.
    if (starts_with_any(value, {"了", "主", "准", "否", "因为", "不是", "由", "什么", "多少", "谁",
                                "哪", "指", "在", "从", "把", "被", "对"}) ||
        value.ends_with("的"))
      return false;
    if (ends_with_any(left, {"因", "认", "以", "成", "作", "不", "还", "但", "都",   "就",
                             "也", "只", "若", "可", "视", "分", "变", "改", "最",   "多",
                             "极", "较", "尤", "即", "正", "总", "称", "仅", "应该", "凡"}))
      return false;
    value = amount_of(value);
    std::string_view subject, attribute;
    if (!split_name(left, has_digit(value), subject, attribute)) return false;
    add(subject, attribute, value, relation.says);
    return true;
  }

  // "825公斤配砝码" -> "825公斤", where a table knows the unit.
  std::string_view amount_of(std::string_view value) const {
    const size_t last = value.find_last_of("0123456789");
    if (last == value.npos) return value;
    const std::string_view tail = value.substr(last + 1);
    for (size_t chars = std::min<size_t>(count_chars(tail), 6); chars > 0; --chars) {
      const std::string_view unit = prefix_chars(tail, chars);
      if (lexicon_.units.contains(unit)) return value.substr(0, last + 1 + unit.size());
    }
    return value;
  }

  // "江月白是人事部的负责人"
  bool try_swapped(std::string_view left, std::string_view right) {
    const std::string_view attribute = known_attribute_at_end(right);
    if (attribute.empty() || points_elsewhere(left) || count_chars(left) > 12) return false;
    std::string_view subject = right.substr(0, right.size() - attribute.size());
    if (!subject.ends_with("的")) return false;
    subject.remove_suffix(std::string_view("的").size());
    if (subject.empty() || points_elsewhere(subject) || left.find("的") != left.npos) return false;
    add(subject, attribute, left, "是");
    return true;
  }

  // "困人救援到场时限23分钟", "驻点负责人由顾长河担任": a known attribute with a value behind it.
  void read_bare(std::string_view clause) {
    for (const std::string& attribute : lexicon_.attributes) {
      const size_t at = clause.find(attribute);
      if (at == clause.npos) continue;
      std::string_view value = trim(clause.substr(at + attribute.size()));
      if (value.starts_with("由") && ends_with_any(value, {"担任", "负责"})) {
        value = value.substr(3, value.size() - 9);
      } else {
        const bool amount = !value.empty() && (is_digit(static_cast<unsigned char>(value[0])) ||
                                               starts_with_any(value, {"每", "约"}));
        if (!amount || !has_digit(value)) continue;
      }
      value = amount_of(value);
      std::string_view subject, unused;
      const std::string_view name = clause.substr(0, at + attribute.size());
      if (value.empty() || count_chars(value) > 12 || !split_name(name, true, subject, unused) ||
          unused != attribute)
        continue;
      add(subject, attribute, value, "是");
      return;
    }
  }

  // Divides "云桅V3的制动间隙" or "云桅V3制动间隙" into subject and attribute.
  bool split_name(std::string_view name, bool number, std::string_view& subject,
                  std::string_view& attribute) {
    constexpr std::string_view kOf = "的";
    attribute = known_attribute_at_end(name);
    const bool known = !attribute.empty();
    if (known) {
      subject = name.substr(0, name.size() - attribute.size());
      if (subject.ends_with(kOf)) subject.remove_suffix(kOf.size());
    } else {
      const size_t of = name.rfind(kOf);
      if (of != name.npos) {
        subject = name.substr(0, of);
        attribute = name.substr(of + kOf.size());
      } else if (number && count_chars(name) <= kAttributeCharsMax && count_chars(name) >= 3) {
        attribute = name;
        subject = {};
      } else {
        return false;
      }
    }
    if (attribute.empty() || count_chars(attribute) > kAttributeCharsMax ||
        (!known && points_elsewhere(attribute)))
      return false;
    if (!known && (is_adverb(attribute) || has_verb(attribute) || has_verb(subject))) return false;
    const std::string_view named = known_subject_in(subject);
    // "今年制动闸瓦" -> "制动闸瓦", but "白鹭酒店误停事件" stays whole: it is not the hotel.
    if (!named.empty())
      subject = subject.substr(static_cast<size_t>(named.data() - subject.data()));
    if (subject.empty() || (named.empty() && points_elsewhere(subject))) {
      if (!subject.empty() && carried_.empty()) return false;
      // An attribute that already names its thing needs no subject.
      if (known_subject_in(attribute).empty()) subject = carried_;
    }
    if (subject.empty() && !known && count_chars(attribute) < 4) return false;
    return count_chars(subject) <= kSubjectCharsMax;
  }

  void add(std::string_view subject, std::string_view attribute, std::string_view value,
           std::string_view relation) {
    if (value.find('*') != value.npos) return;  // a masked number teaches nothing
    for (const std::string_view mark : {"“", "”", "\"", "（", "("})
      if (attribute.find(mark) != attribute.npos || subject.find(mark) != subject.npos) return;
    facts_.push_back({std::string(subject), std::string(attribute), std::string(value),
                      std::string(relation), document_.id, "statement"});
  }

  const Document& document_;
  const Lexicon& lexicon_;
  std::string_view carried_;  // the subject of the section or document
  std::vector<Fact> facts_;
};

}  // namespace

std::vector<Fact> statement_facts(const Document& document, const Lexicon& lexicon) {
  return StatementReader(document, lexicon).run();
}

}  // namespace plinth::corpus
