// Personal data in generated sentences: valid values in the ways people write them, between numbers
// that look like them. Checksums are computed here once more, the other way round.
#include <array>
#include <map>

#include "core/rng.h"
#include "corpus/clean/personal_data.h"
#include "corpus/measure/measure.h"

namespace plinth::corpus {
namespace {

constexpr int kSentences = 6000;

class Generator {
 public:
  // A value of the kind, in one of its forms. `begin` is where the value itself begins in it.
  struct Value {
    std::string_view kind;  // empty: nobody's data
    std::string text;
    size_t begin = 0;
    size_t end = 0;
  };

  Value next() {
    Value out = value();
    if (out.end == 0) out.end = out.text.size();
    return out;
  }

 private:
  Value value() {
    switch (rng_.below(38)) {
      case 0:
      case 1:
        return {"id_card", id(true)};
      case 2:
      case 3:
        return {"phone", phone()};
      case 4:
        return {"phone", split(phone(), {3, 4, 4}, rng_.below(2) == 0 ? " " : "-")};
      case 5: {
        const std::string head = rng_.below(2) == 0 ? "+86" : "+86 ";
        return {"phone", head + phone(), head.size()};
      }
      case 6:
        return {"landline", area() + "-" + local()};
      case 7: {
        const std::string code = area();
        const std::string open = rng_.below(2) == 0 ? "(" : "（", close = open == "(" ? ")" : "）";
        return {"landline", open + code + close + local(), open.size()};
      }
      case 8:
      case 9:
        return {"bank_card", card(true)};
      case 10:
        return {"bank_card", split(card(true), {4, 4, 4, 4, 3}, " ")};
      case 11:
      case 12:
        return {"uscc", uscc(true)};
      case 13:
        return {"email", word(3 + rng_.below(6)) + "." + word(3) + "@" + word(6) + ".com"};
      case 14:
        return {"email", digits(8) + "@qq.com"};
      case 15:
        return {"ipv4", fmt::format("{}.{}.{}.{}", 110 + rng_.below(12), rng_.below(256),
                                    rng_.below(256), 1 + rng_.below(250))};
      case 16:
      case 17: {
        static constexpr std::array<const char*, 4> kHeads = {"护照号码：", "护照号", "护照 No. ",
                                                              "passport number "};
        const std::string head = one_of(kHeads);
        return {"passport", head + passport(), head.size()};
      }
      case 18:
      case 19:
        return {"plate", plate()};
      case 20: {
        const std::string head = rng_.below(2) == 0 ? "家住" : "";
        return {"address", head + region() + road() + flat(), head.size()};
      }
      case 21: {
        static constexpr std::array<const char*, 4> kHeads = {"住址：", "收货地址为", "现住",
                                                              "户籍地址: "};
        const std::string head = one_of(kHeads);
        return {"address", head + region() + road(), head.size()};
      }
      case 22:
      case 23: {
        static constexpr std::array<const char*, 4> kTitles = {"先生", "女士", "小姐", "同志"};
        const std::string given = name();
        return {"name", given + one_of(kTitles), 0, given.size()};
      }
      case 24: {
        const std::string head = rng_.below(2) == 0 ? "姓名：" : "联系人: ";
        return {"name", head + name(), head.size()};
      }
      default:
        return {"", near_miss()};
    }
  }

  std::string passport() {
    switch (rng_.below(3)) {
      case 0:
        return fmt::format("E{}", digits(8));
      case 1:
        return fmt::format("E{}{}", "ABCDEFGHJKLMNPQRSTUVWXYZ"[rng_.below(24)], digits(7));
      default:
        return fmt::format("G{}", digits(8));
    }
  }

  std::string province() {
    static constexpr std::array<const char*, 8> kProvinces = {"京", "沪", "粤", "浙",
                                                              "川", "苏", "黑", "新"};
    return one_of(kProvinces);
  }

  std::string office() { return std::string(1, "ABCDEFGHJK"[rng_.below(10)]); }

  std::string plate() {
    const std::string dot = rng_.below(3) == 0 ? "·" : "", head = province() + office() + dot;
    switch (rng_.below(5)) {
      case 0:
        return fmt::format("{}{}", head, digits(5));
      case 1:
        return fmt::format("{}Q{}", head, digits(4));
      case 2:
        return fmt::format("{}{}F{}K", head, digits(1), digits(2));
      case 3:
        return fmt::format("{}D{}", head, digits(5));
      default:
        return fmt::format("{}{}学", head, digits(4));
    }
  }

  std::string region() {
    static constexpr std::array<const char*, 6> kRegions = {
        "浙江省杭州市西湖区", "北京市海淀区",   "广东省深圳市南山区",
        "四川省成都市",       "上海市浦东新区", "湖北省武汉市江汉区"};
    return one_of(kRegions);
  }

  std::string road() {
    static constexpr std::array<const char*, 6> kRoads = {"文三路",   "中关村大街", "科技园南道",
                                                          "人民南路", "福佑巷",     "解放大道"};
    return fmt::format("{}{}号", one_of(kRoads), 1 + rng_.below(999));
  }

  std::string flat() {
    static constexpr std::array<const char*, 4> kEstates = {"", "", "金色家园", "幸福里小区"};
    switch (rng_.below(3)) {
      case 0:
        return fmt::format("{}{}栋{}单元{}室", one_of(kEstates), 1 + rng_.below(20),
                           1 + rng_.below(4), 101 + rng_.below(900));
      case 1:
        return fmt::format("{}{}号楼{}室", one_of(kEstates), 1 + rng_.below(20),
                           101 + rng_.below(900));
      default:
        return fmt::format("{}幢{}室", 1 + rng_.below(20), 1001 + rng_.below(900));
    }
  }

  std::string name() {
    static constexpr std::array<const char*, 10> kSurnames = {"王", "李", "张",   "刘",   "陈",
                                                              "马", "胡", "欧阳", "司马", "高"};
    static constexpr std::array<const char*, 10> kGiven = {"伟", "芳",   "娜",   "秀英", "敏",
                                                           "静", "建国", "小明", "志强", "丽华"};
    const std::string surname = one_of(kSurnames);
    return surname + one_of(kGiven);
  }

  std::string near_miss() {
    switch (rng_.below(34)) {
      case 18:
        return fmt::format("E{}", digits(8));  // no word says that it is a passport
      case 19:
        return fmt::format("护照号码：E{}", digits(6));
      case 20:
        return fmt::format("护照工本费{}元", digits(3));
      case 21:
        return province() + office() + digits(4);
      case 22:
        return province() + "I" + digits(5);
      case 23:
        return province() + office() + digits(7);
      case 24:
        return fmt::format("{}ICP备{}号", province(), digits(8));
      case 25:
        return region() + road();  // a public place
      case 26:
        return fmt::format("{}{}号{}层", region(), fmt::format("文化路{}", digits(2)),
                           1 + rng_.below(30));
      case 27:
        return fmt::format("{}法院第{}号判决", region(), digits(3));
      case 28:
        return "王先生";
      case 29: {
        static constexpr std::array<const char*, 6> kNobody = {"高级经理", "任何同志", "各位女士",
                                                               "先生们",   "单身女士", "全体同志"};
        return one_of(kNobody);
      }
      case 30:
        return "姓名：见附表";
      case 31:
        return fmt::format("{}街道{}号文", region(), digits(2));
      case 32:
        return fmt::format("高速公路{}号桥", digits(2));
      case 33:
        return fmt::format("住址：{}路{}弄小学", "建设", "无");
      case 0:
        return id(false);
      case 1:
        return id(true).substr(0, 17);
      case 2:
        return "12" + digits(9);
      case 3:
        return phone().substr(0, 10);
      case 4:
        return phone() + digits(3);
      case 5:
        return card(false);
      case 6:
        return uscc(false);
      case 7:
        return digits(20);
      case 8:
        return "20240" + digits(1) + "1" + digits(1);
      case 9:
        return fmt::format("{}.{}元", 13800000000 + rng_.below(1000000), 10 + rng_.below(90));
      case 10:
        return fmt::format("192.168.{}.{}", rng_.below(256), rng_.below(256));
      case 11:
        return fmt::format("v{}.{}.{}.{}", 1 + rng_.below(9), rng_.below(20), rng_.below(20),
                           rng_.below(20));
      case 12:
        return fmt::format("京政发〔2024〕{}号", rng_.below(400));
      case 13:
        return "HT" + phone();
      case 14:
        return fmt::format("400-{}-{}", digits(3), digits(4));
      case 15:
        return word(5) + "@" + word(4);
      case 16:
        return fmt::format("{}-{}", 2000 + rng_.below(24), digits(8));
      default:
        return fmt::format("1{},{},{}", digits(2), digits(3), digits(3));
    }
  }

  std::string digits(size_t n) {
    std::string out;
    for (size_t i = 0; i < n; ++i) out.push_back(static_cast<char>('0' + rng_.below(10)));
    return out;
  }

  std::string word(size_t n) {
    std::string out;
    for (size_t i = 0; i < n; ++i) out.push_back(static_cast<char>('a' + rng_.below(26)));
    return out;
  }

  template <typename T, size_t N>
  const T& one_of(const std::array<T, N>& list) {
    return list[rng_.below(N)];
  }

  // GB 11643: the weighted sum with the check character is 1 modulo 11.
  std::string id(bool valid) {
    static constexpr std::array<const char*, 6> kRegions = {"110101", "310104", "440305",
                                                            "330106", "510107", "650102"};
    const std::string body =
        fmt::format("{}{:04}{:02}{:02}{}", one_of(kRegions), 1950 + rng_.below(60),
                    1 + rng_.below(12), 1 + rng_.below(28), digits(3));
    static constexpr std::string_view kSigns = "0123456789X";
    for (size_t check = 0; check < 11; ++check) {
      int sum = static_cast<int>(check), weight = 2;
      for (size_t i = 17; i-- > 0; weight = weight * 2 % 11) sum += (body[i] - '0') * weight;
      if ((sum % 11 == 1) == valid) return body + kSigns[check];
    }
    return body;
  }

  std::string phone() {
    static constexpr std::array<const char*, 12> kSegments = {
        "138", "139", "150", "158", "186", "188", "177", "133", "199", "166", "130", "182"};
    return one_of(kSegments) + digits(8);
  }

  std::string area() {
    static constexpr std::array<const char*, 8> kAreas = {"010",  "021",  "0571", "0755",
                                                          "0590", "0731", "0431", "028"};
    return one_of(kAreas);
  }

  std::string local() { return std::to_string(2 + rng_.below(7)) + digits(7); }

  // Luhn: from the right every second digit doubled, digits of the products added, 0 modulo 10.
  std::string card(bool valid) {
    static constexpr std::array<const char*, 4> kIssuers = {"622202", "622848", "621700", "601382"};
    const std::string body = one_of(kIssuers) + digits(12);
    for (char check = '0'; check <= '9'; ++check) {
      const std::string all = body + check;
      int sum = 0;
      for (size_t i = 0; i < all.size(); ++i) {
        const int digit = all[all.size() - 1 - i] - '0';
        sum += i % 2 == 0 ? digit : digit * 2 / 10 + digit * 2 % 10;
      }
      if ((sum % 10 == 0) == valid) return all;
    }
    return body;
  }

  // GB 32100: weights are powers of 3, the sum with the check character is 0 modulo 31.
  std::string uscc(bool valid) {
    static constexpr std::string_view kSigns = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    std::string body = "91" + std::string(rng_.below(2) == 0 ? "330100" : "440300") + "MA";
    while (body.size() < 17) body.push_back(kSigns[rng_.below(kSigns.size())]);
    for (size_t check = 0; check < kSigns.size(); ++check) {
      size_t sum = check, weight = 1;
      for (const char c : body) {
        sum += kSigns.find(c) * weight;
        weight = weight * 3 % 31;
      }
      if ((sum % 31 == 0) == valid) return body + kSigns[check];
    }
    return body;
  }

  static std::string split(const std::string& value, std::initializer_list<size_t> groups,
                           std::string_view between) {
    std::string out;
    size_t at = 0;
    for (const size_t n : groups) {
      if (at > 0) out += between;
      out += value.substr(at, n);
      at += n;
    }
    return out;
  }

  Rng rng_{3};
};

struct Sentence {
  std::string_view before, after;
};

constexpr std::array<Sentence, 8> kSentencesAround = {{{"请联系", "，逾期不候。"},
                                                       {"登记信息为", "；其余从略。"},
                                                       {"备注：", "\n"},
                                                       {"编号", "已归档。"},
                                                       {"（", "）"},
                                                       {"系统记录 ", " 一条"},
                                                       {"甲方提供的是", "、附件两份。"},
                                                       {"- ", ""}}};

}  // namespace

Status measure_personal_data(Measurement& m) {
  Generator generator;
  Rng rng(4);
  int right = 0, wrong = 0, missed = 0, near_misses = 0;
  std::map<std::string_view, int> missed_by, wrong_by;
  for (int i = 0; i < kSentences; ++i) {
    const Sentence& around = kSentencesAround[rng.below(kSentencesAround.size())];
    const auto value = generator.next();
    const std::string text = fmt::format("{}{}{}", around.before, value.text, around.after);
    const size_t begin = around.before.size() + value.begin, end = around.before.size() + value.end;
    bool found = false;
    for (const PiiHit& hit : find_personal_data(text)) {
      if (hit.near_miss) continue;
      const bool same = hit.kind == value.kind && hit.begin == begin && hit.end == end;
      found |= same;
      if (!same) ++wrong_by[hit.kind];
      wrong += same ? 0 : 1;
    }
    near_misses += value.kind.empty() ? 1 : 0;
    if (value.kind.empty()) continue;
    right += found ? 1 : 0;
    missed += found ? 0 : 1;
    if (!found) ++missed_by[value.kind];
  }
  std::string what;
  for (const auto& [kind, n] : missed_by) what += fmt::format(", {} {} missed", n, kind);
  for (const auto& [kind, n] : wrong_by) what += fmt::format(", {} {} wrong", n, kind);
  m.add({fmt::format("personal data: {} values, {} near misses{}", kSentences - near_misses,
                     near_misses, what),
         2.0 * right / (2.0 * right + wrong + missed), "F1", 0.98});
  return {};
}

}  // namespace plinth::corpus
