#include "corpus/clean/personal_text.h"

#include <algorithm>
#include <bitset>
#include <cstring>
#include <initializer_list>
#include <span>

#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr size_t kHan = 3;  // bytes of a common Han character

bool digit(char c) {
  return c >= '0' && c <= '9';
}

bool upper(char c) {
  return c >= 'A' && c <= 'Z';
}

bool word(char c) {
  return digit(c) || upper(c) || (c >= 'a' && c <= 'z');
}

// The Han character that ends at byte `end`, empty when none does.
std::string_view han_before(std::string_view text, size_t end) {
  if (end < kHan || end > text.size()) return {};
  const auto lead = static_cast<unsigned char>(text[end - kHan]);
  return lead >= 0xE4 && lead <= 0xE9 ? text.substr(end - kHan, kHan) : std::string_view();
}

std::string_view han_at(std::string_view text, size_t at) {
  return at + kHan > text.size() ? std::string_view() : han_before(text, at + kHan);
}

bool is_one_of(std::string_view han, std::string_view list) {
  if (han.size() != kHan) return false;
  for (size_t i = 0; i + kHan <= list.size(); i += kHan)
    if (list.substr(i, kHan) == han) return true;
  return false;
}

// The first word of the list that stands at `at`; empty when none does. Longer ones come first.
std::string_view word_at(std::string_view text, size_t at,
                         std::span<const std::string_view> words) {
  for (const std::string_view w : words)
    if (text.substr(std::min(at, text.size())).starts_with(w)) return w;
  return {};
}

std::string_view word_at(std::string_view text, size_t at,
                         std::initializer_list<std::string_view> words) {
  return word_at(text, at, std::span(words.begin(), words.size()));
}

bool ends_in(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view w) { return text.ends_with(w); });
}

constexpr std::string_view kPlateProvinces =
    "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼";
constexpr std::string_view kPlateTails = "学警挂港澳领";

constexpr std::string_view kProvinces[] = {
    "北京", "天津", "上海", "重庆", "河北",   "山西", "辽宁", "吉林", "黑龙江", "江苏", "浙江",
    "安徽", "福建", "江西", "山东", "河南",   "湖北", "湖南", "广东", "海南",   "四川", "贵州",
    "云南", "陕西", "甘肃", "青海", "内蒙古", "广西", "西藏", "宁夏", "新疆"};

// The hundred commonest surnames and some more. Those that are rather words (和, 那, 时) are not
// in.
constexpr std::string_view kSurnames =
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏"
    "薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常"
    "武"
    "乔贺赖龚文庞樊兰殷施陶洪翟安颜倪严牛温芦季俞章鲁葛伍韦申尤毕聂丛焦向柳邢骆岳齐梅莫庄辛管祝左涂"
    "谷"
    "祁耿牟卜詹关苗凌费纪靳盛童欧甄项曲成游阳裴席卫查屈鲍位覃霍翁隋植甘景薄单包司柏宁柯阮桂闵解强柴"
    "华"
    "车冉房边辜吉饶刁瞿戚丘古米池滕晋苑邬臧畅宫来嵺苟全褚廉简娄盖符奚木穆党燕郎邸冀谈姬屠连郜晏栾郁"
    "商";
constexpr std::string_view kLongSurnames[] = {"欧阳", "司马", "上官", "诸葛", "尉迟", "皇甫",
                                              "慕容", "令狐", "东方", "夏侯", "司徒", "端木"};

// Two characters that begin like a name and are none.
constexpr std::string_view kNoNames[] = {
    "任何", "单身", "高级", "项目", "安全", "党员", "党委", "全体", "成年", "广大", "位于", "华人",
    "文明", "金牌", "老年", "车间", "常务", "白领", "石油", "关于", "向各", "来宾", "各位", "查询"};

// Where one word ends and a name or an address may begin.
constexpr std::string_view kBefore = "住在于到至为是寄址系号从向的由和与对请让被给把经";

constexpr std::string_view kTitles[] = {"先生", "女士", "小姐", "同志", "师傅"};
constexpr std::string_view kLabels[] = {"姓名", "联系人", "申请人", "投诉人", "收件人", "经办人"};

// The characters that titles and labels begin with: all other ones are passed over at a glance.
class FirstChars {
 public:
  FirstChars() {
    for (const std::string_view w : kTitles) bits_[code(w)] = true;
    for (const std::string_view w : kLabels) bits_[code(w)] = true;
  }

  bool has(std::string_view han) const { return han.size() == kHan && bits_[code(han)]; }

 private:
  static size_t code(std::string_view han) {
    const auto byte = [&](size_t i) { return static_cast<unsigned char>(han[i]) + size_t{0}; };
    return (byte(0) & 15) << 12 | (byte(1) & 63) << 6 | (byte(2) & 63);
  }

  std::bitset<0x10000> bits_;
};

class TextScanner {
 public:
  TextScanner(std::string_view text, std::vector<PiiHit>& hits) : text_(text), hits_(hits) {}

  void run() {
    static const FirstChars kFirst;
    for (size_t i = 0; i < text_.size(); ++i) {
      const auto c = static_cast<unsigned char>(text_[i]);
      if (c >= 0xE4 && c <= 0xE9) {
        if (kFirst.has(han_at(text_, i))) name(i);
        i += kHan - 1;
        continue;
      }
      if (c >= 0x80 || !(digit(text_[i]) || upper(text_[i]))) continue;
      if (i > 0 && word(text_[i - 1])) continue;
      if (upper(text_[i])) {
        plate(i);
        passport(i);
      } else if (const size_t end = address(i); end > i) {
        i = end - 1;
      }
    }
  }

 private:
  void add(std::string_view kind, size_t begin, size_t end, bool near_miss = false) {
    hits_.push_back({kind, begin, end, near_miss});
  }

  size_t word_end(size_t at) const {
    while (at < text_.size() && word(text_[at])) ++at;
    return at;
  }

  // GB/T 2260-like office letter, then GA 36-2018: five of digits and letters without I and O, of
  // which at most two are letters; or, for new energy, six.
  static bool plate_body(std::string_view body, bool tail) {
    const auto letters = static_cast<size_t>(std::count_if(body.begin(), body.end(), upper));
    if (body.find_first_of("IO") != body.npos ||
        !std::all_of(body.begin(), body.end(), [](char c) { return digit(c) || upper(c); }))
      return false;
    if (tail) return body.size() == 4 && letters <= 1;
    if (body.size() == 5) return letters <= 2;
    if (body.size() != 6) return false;
    const auto energy = [](char c) { return c == 'D' || c == 'F'; };
    const auto digits = [&](size_t from, size_t n) {
      const auto part = body.substr(from, n);
      return std::all_of(part.begin(), part.end(), digit);
    };
    return (energy(body[0]) && digits(2, 4)) || (energy(body[5]) && digits(0, 5));
  }

  void plate(size_t i) {
    if (!is_one_of(han_before(text_, i), kPlateProvinces) || text_[i] == 'I') return;
    size_t body = i + 1;
    const std::string_view dot = word_at(text_, body, {"·", "•", "・", " ", "-"});
    body += dot.size();
    const size_t end = word_end(body);
    const bool tail = is_one_of(han_at(text_, end), kPlateTails);
    const std::string_view found = text_.substr(body, end - body);
    if (plate_body(found, tail)) return add("plate", i - kHan, end + (tail ? kHan : 0));
    const auto digits = std::count_if(found.begin(), found.end(), digit);
    if (digits >= 4 && found.size() <= 7 && dot != " ") add("plate", i - kHan, end, true);
  }

  // GA/T 1180 and earlier: a letter and eight digits, or E and a letter and seven; D, S and P with
  // or without a second letter E.
  static bool is_passport(std::string_view token) {
    const size_t letters = token.size() > 1 && upper(token[1]) ? 2 : 1;
    const auto digits = token.substr(letters);
    if (!std::all_of(digits.begin(), digits.end(), digit)) return false;
    const char first = token[0];
    if (letters == 1) return digits.size() == 8 && std::strchr("EGDSP", first) != nullptr;
    const bool official = std::strchr("DSP", first) != nullptr && token[1] == 'E';
    const bool ordinary = first == 'E' && token[1] != 'I' && token[1] != 'O';
    return digits.size() == 7 && (official || ordinary);
  }

  void passport(size_t i) {
    constexpr size_t kLook = 30;
    const size_t end = word_end(i);
    const std::string_view token = text_.substr(i, end - i);
    if (token.size() < 7 || token.size() > 11) return;
    if (std::count_if(token.begin(), token.end(), digit) < 6) return;
    const size_t from = i > kLook ? i - kLook : 0;
    const std::string_view before = text_.substr(from, i - from);
    const bool said = before.find("护照") != before.npos || before.find("assport") != before.npos ||
                      before.find("ASSPORT") != before.npos;
    if (said) add("passport", i, end, !is_passport(token));
  }

  // "号", "栋", "单元", ... behind a number.
  static std::string_view unit_at(std::string_view text, size_t at) {
    return word_at(text, at,
                   {"号楼", "号院", "单元", "弄", "栋", "幢", "座", "室", "号", "层", "楼", "户"});
  }

  // A road's number at `i`: the whole address, when it is someone's home. Returns behind it, or i.
  size_t address(size_t i) {
    size_t end = i;
    while (end < text_.size() && digit(text_[end])) ++end;
    if (end - i > 5) return i;
    const std::string_view first = unit_at(text_, end);
    const std::string_view before = text_.substr(0, i);
    if ((first != "号" && first != "弄" && first != "号院") ||
        !ends_in(before, {"路", "街", "道", "巷", "弄", "胡同", "村", "里", "条"}))
      return i;
    end += first.size();
    bool building = false, flat = false;
    while (true) {
      const size_t number = next_number(end);
      if (number == 0) break;
      const size_t unit = word_end(number);
      const std::string_view what = unit_at(text_, unit);
      if (what.empty()) break;
      building |= what == "栋" || what == "幢" || what == "号楼" || what == "座";
      flat |= what == "室" || what == "单元" || what == "户";
      end = unit + what.size();
      if (what == "单元") building = true;
    }
    const size_t begin = address_begin(i);
    const bool labelled = home_label(begin);
    if (begin < i && (labelled || (building && flat))) {
      add("address", begin, end);
      return end;
    }
    return i;
  }

  // Where the next number of an address begins: behind a space, or behind an estate's name.
  size_t next_number(size_t at) const {
    constexpr size_t kEstateMax = 8;
    if (at < text_.size() && text_[at] == ' ') ++at;
    for (size_t n = 0; n <= kEstateMax; ++n) {
      if (at < text_.size() && word(text_[at])) return word_end(at) - at <= 5 ? at : 0;
      if (han_at(text_, at).empty()) return 0;
      at += kHan;
    }
    return 0;
  }

  size_t address_begin(size_t road) const {
    constexpr size_t kCharsMax = 40;
    size_t begin = road, cut = 0, province = 0;
    bool has_cut = false, has_province = false;
    for (size_t n = 0; n < kCharsMax; ++n) {
      const std::string_view han = han_before(text_, begin);
      if (han.empty()) break;
      if (n > 0 && is_one_of(han, kBefore) && !has_cut) {
        has_cut = true;
        cut = begin;
      }
      begin -= kHan;
      if (!word_at(text_, begin, kProvinces).empty()) {
        has_province = true;
        province = begin;
      }
    }
    return has_province ? province : has_cut ? cut : begin;
  }

  // 住址：, 家住, 收货地址为
  bool home_label(size_t begin) const {
    constexpr size_t kLook = 24;
    const size_t from = begin > kLook ? begin - kLook : 0;
    std::string_view before = text_.substr(from, begin - from);
    for (bool more = true; more;) {
      more = false;
      for (const std::string_view tail : {"：", ":", " ", "为", "是", "在", "于"})
        if (before.ends_with(tail)) {
          before.remove_suffix(tail.size());
          more = true;
        }
    }
    return ends_in(before, {"住址", "家住", "现住", "居住", "家庭地址", "收货地址", "收件地址",
                            "户籍地", "户籍地址", "居住地", "居住地址", "住所地", "寄往"});
  }

  static bool no_name(std::string_view name) {
    return std::any_of(std::begin(kNoNames), std::end(kNoNames),
                       [&](std::string_view w) { return name.starts_with(w); });
  }

  static bool is_name(std::string_view name) {
    if (no_name(name)) return false;
    for (const std::string_view surname : kLongSurnames)
      if (name.starts_with(surname))
        return name.size() == surname.size() + kHan || name.size() == surname.size() + 2 * kHan;
    return is_one_of(name.substr(0, kHan), kSurnames) &&
           (name.size() == 2 * kHan || name.size() == 3 * kHan);
  }

  // A name that ends at `end`: of several lengths the longest, unless a particle begins it.
  void name_before(size_t end) {
    for (const size_t chars : {4, 3, 2}) {
      if (end < chars * kHan) continue;
      const size_t begin = end - chars * kHan;
      bool han = true;
      for (size_t at = begin; at < end; at += kHan) han &= !han_at(text_, at).empty();
      const std::string_view name = text_.substr(begin, end - begin);
      if (!han || !is_name(name)) continue;
      if (chars == 3 && is_one_of(name.substr(0, kHan), "于任向经由来位全") &&
          is_name(name.substr(kHan)))
        continue;
      return add("name", begin, end);
    }
  }

  // A title or a label begins at `at`, perhaps.
  void name(size_t at) {
    if (const std::string_view title = word_at(text_, at, kTitles); !title.empty()) {
      if (!text_.substr(at + title.size()).starts_with("们")) name_before(at);
    } else if (const std::string_view label = word_at(text_, at, kLabels); !label.empty()) {
      name_behind(at + label.size());
    }
  }

  void name_behind(size_t at) {
    const std::string_view colon = word_at(text_, at, {"：", ":", "| ", " | "});
    if (colon.empty()) return;
    at += colon.size();
    if (at < text_.size() && text_[at] == ' ') ++at;
    size_t end = at;
    while (end - at <= 5 * kHan && !han_at(text_, end).empty()) end += kHan;
    const std::string_view name = text_.substr(at, end - at);
    if (name.size() >= 2 * kHan && is_name(name)) add("name", at, end);
  }

  std::string_view text_;
  std::vector<PiiHit>& hits_;
};

}  // namespace

void find_personal_text(std::string_view text, std::vector<PiiHit>& hits) {
  TextScanner(text, hits).run();
}

}  // namespace plinth::corpus
