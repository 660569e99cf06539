#include "corpus/clean/personal_data.h"

#include <algorithm>

#include "corpus/clean/id_numbers.h"
#include "corpus/clean/personal_text.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr std::string_view kIdCard = "id_card", kPhone = "phone", kLandline = "landline",
                           kBankCard = "bank_card", kUscc = "uscc", kEmail = "email",
                           kIpv4 = "ipv4", kPassport = "passport", kPlate = "plate",
                           kAddress = "address", kName = "name";

bool digit(char c) {
  return c >= '0' && c <= '9';
}

bool letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool word(char c) {
  return digit(c) || letter(c);
}

bool separator(char c) {
  return c == ' ' || c == '-';
}

// A run of digits in groups with single separators between: "6222 0212", "0590-8800301".
struct Run {
  size_t begin = 0, end = 0;
  std::vector<size_t> groups;  // lengths
  std::string digits;
};

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::vector<PiiHit> run() {
    size_t i = 0;
    while (i < text_.size()) {
      const char c = text_[i];
      if (c == '@') {
        email(i);
      } else if (word(c) && c != '_' && (i == 0 || !word(text_[i - 1]))) {
        const size_t next = token(i);
        if (next > i) {
          i = next;
          continue;
        }
      }
      ++i;
    }
    find_personal_text(text_, hits_);
    std::sort(hits_.begin(), hits_.end(),
              [](const PiiHit& a, const PiiHit& b) { return a.begin < b.begin; });
    drop_overlaps();
    return std::move(hits_);
  }

 private:
  char at(size_t i) const { return i < text_.size() ? text_[i] : '\0'; }

  void add(std::string_view kind, size_t begin, size_t end, bool near_miss) {
    hits_.push_back({kind, begin, end, near_miss});
  }

  // A word that begins at i; returns behind what was taken, or i.
  size_t token(size_t i) {
    size_t end = i;
    size_t digits = 0;
    while (end < text_.size() && word(text_[end])) digits += digit(text_[end++]) ? 1 : 0;
    const std::string_view token = text_.substr(i, end - i);
    if (digits < 2 || touches_decimal(i, end))
      return digits < 1 || !digit(token[0]) ? end : ipv4_or(i, end);
    if (token.size() == 18 && (identity(i, end, token) || organisation(i, end, token))) return end;
    if (digits != token.size()) return end;
    return numbers(i);
  }

  // "12345678.90" and "1,234,567" are amounts, "203.0.113.9" an address.
  bool touches_decimal(size_t begin, size_t end) const {
    return (at(end) == '.' && digit(at(end + 1))) ||
           (begin >= 2 && text_[begin - 1] == '.' && digit(text_[begin - 2]));
  }

  size_t ipv4_or(size_t begin, size_t end) {
    size_t at_byte = begin;
    int parts = 0;
    int first = -1, second = -1;
    while (parts < 4) {
      size_t stop = at_byte;
      int value = 0;
      while (stop < text_.size() && digit(text_[stop]) && stop - at_byte < 4)
        value = value * 10 + (text_[stop++] - '0');
      if (stop == at_byte || stop - at_byte > 3 || value > 255) return end;
      if (parts == 0) first = value;
      if (parts == 1) second = value;
      ++parts;
      if (parts < 4 && at(stop) != '.') return end;
      at_byte = parts < 4 ? stop + 1 : stop;
    }
    const bool more = word(at(at_byte)) || (at(at_byte) == '.' && digit(at(at_byte + 1)));
    const bool before = begin > 0 && (text_[begin - 1] == '.' || text_[begin - 1] == '-' ||
                                      text_[begin - 1] == '/');
    // Addresses of private and reserved networks name nobody; small first numbers are versions.
    const bool nobody =
        first < 11 || first == 127 || first >= 224 || (first == 192 && second == 168) ||
        (first == 172 && second >= 16 && second < 32) || (first == 169 && second == 254);
    if (!more && !before && !nobody) add(kIpv4, begin, at_byte, false);
    return at_byte;
  }

  bool identity(size_t begin, size_t end, std::string_view token) {
    if (!std::all_of(token.begin(), token.begin() + 17, digit)) return false;
    if (!digit(token[17]) && token[17] != 'X' && token[17] != 'x') return false;
    const int century = (token[6] - '0') * 10 + (token[7] - '0');
    if (!has_region_prefix(token) || (century != 19 && century != 20)) return false;
    const bool proven = has_birth_date(token) && has_id_checksum(token);
    if (!proven && digit(token[17]) && has_issuer_prefix(token) && has_luhn_checksum(token))
      return false;
    add(kIdCard, begin, end, !proven);
    return true;
  }

  bool organisation(size_t begin, size_t end, std::string_view token) {
    if (!is_uscc_shape(token)) return false;
    const bool proven = has_uscc_checksum(token);
    // Digits alone are far more often another number than a code with a slip.
    if (!proven && std::all_of(token.begin(), token.end(), digit)) return false;
    add(kUscc, begin, end, !proven);
    return true;
  }

  Run read_run(size_t begin) const {
    Run run;
    run.begin = begin;
    size_t i = begin;
    while (true) {
      const size_t from = i;
      while (i < text_.size() && digit(text_[i])) run.digits.push_back(text_[i++]);
      run.groups.push_back(i - from);
      run.end = i;
      if (i + 1 >= text_.size() || !separator(text_[i]) || !digit(text_[i + 1]) ||
          run.groups.size() >= 6)
        break;
      // Same separator throughout, so that "1-2 3" is two things.
      if (run.groups.size() > 1 && text_[i] != text_[from - 1]) break;
      ++i;
    }
    if (word(at(run.end))) {  // the last group belongs to a longer word
      while (run.groups.size() > 1 && word(at(run.end))) {
        run.digits.resize(run.digits.size() - run.groups.back());
        run.end -= run.groups.back() + 1;
        run.groups.pop_back();
      }
    }
    return run;
  }

  size_t numbers(size_t begin) {
    if (const size_t end = landline_in_brackets(begin); end > 0) return end;
    const Run run = read_run(begin);
    if (word(at(run.end)) || touches_decimal(run.begin, run.end)) return run.end;
    if (bank_card(run) || mobile(run) || landline(run)) return run.end;
    // Groups may be neighbours that have nothing to do with each other: try the first alone.
    Run first;
    first.begin = run.begin;
    first.groups = {run.groups[0]};
    first.end = run.begin + run.groups[0];
    first.digits = run.digits.substr(0, run.groups[0]);
    if (run.groups.size() > 1 && at(first.end) == ' ' && !bank_card(first)) mobile(first);
    return first.end;
  }

  static bool in_fours(const Run& run) {
    if (run.groups.size() == 1) return true;
    for (size_t i = 0; i + 1 < run.groups.size(); ++i)
      if (run.groups[i] != 4) return false;
    return run.groups.back() <= 4;
  }

  bool bank_card(const Run& run) {
    const size_t n = run.digits.size();
    if (n < 16 || n > 19 || !has_issuer_prefix(run.digits) || !in_fours(run)) return false;
    add(kBankCard, run.begin, run.end, !has_luhn_checksum(run.digits));
    return true;
  }

  bool mobile(const Run& run) {
    std::string_view digits = run.digits;
    size_t begin = run.begin;
    std::vector<size_t> groups = run.groups;
    if (digits.starts_with("86") && digits.size() == 13) {
      const bool split = groups.size() > 1 && groups[0] == 2;
      if (split)
        groups.erase(groups.begin());
      else
        groups[0] -= 2;
      begin += split ? 3 : 2;
      digits.remove_prefix(2);
    }
    const bool grouped = groups.size() == 1 || groups == std::vector<size_t>{3, 4, 4} ||
                         groups == std::vector<size_t>{3, 8} || groups == std::vector<size_t>{7, 4};
    if (!grouped || digits.empty() || digits[0] != '1') return false;
    if (digits.size() == 11 && is_mobile_segment(digits)) {
      add(kPhone, begin, run.end, false);
      return true;
    }
    // Eleven digits of no segment, or a segment's number with digits missing or left over.
    const bool no_segment = digits.size() == 11;
    const bool wrong_length = groups.size() == 1 && is_mobile_segment(digits) &&
                              digits.size() >= 10 && digits.size() <= 14;
    if (!no_segment && !wrong_length) return false;
    add(kPhone, begin, run.end, true);
    return true;
  }

  static bool area_code(std::string_view digits) {
    if (digits.size() < 3 || digits[0] != '0' || digits[1] == '0') return false;
    return digits.size() == (digits[1] == '1' || digits[1] == '2' ? 3u : 4u);
  }

  static bool local_number(std::string_view digits) {
    return (digits.size() == 7 || digits.size() == 8) && digits[0] != '0' && digits[0] != '1';
  }

  // 010-12345678, 0590-8800301
  bool landline(const Run& run) {
    if (run.groups.size() != 2 || at(run.begin + run.groups[0]) != '-') return false;
    const std::string_view digits = run.digits;
    if (!area_code(digits.substr(0, run.groups[0])) || !local_number(digits.substr(run.groups[0])))
      return false;
    add(kLandline, run.begin, run.end, false);
    return true;
  }

  // (0590)8800301, （010） 12345678: the value goes from the area code to the end. Returns its end,
  // 0 when there is none.
  size_t landline_in_brackets(size_t begin) {
    size_t i = begin;
    while (digit(at(i)) && i - begin < 5) ++i;
    const auto before = text_.substr(0, begin), after = text_.substr(i);
    const bool wide = before.ends_with("（") && after.starts_with("）");
    if (!wide && !(before.ends_with('(') && after.starts_with(')'))) return 0;
    if (!area_code(text_.substr(begin, i - begin))) return 0;
    i += wide ? std::string_view("）").size() : 1;
    if (separator(at(i))) ++i;
    const size_t local = i;
    while (digit(at(i)) && i - local < 9) ++i;
    if (word(at(i)) || touches_decimal(local, i) || !local_number(text_.substr(local, i - local)))
      return 0;
    add(kLandline, begin, i, false);
    return i;
  }

  void email(size_t sign) {
    constexpr std::string_view kLocal = "._%+-";
    size_t begin = sign, end = sign + 1;
    while (begin > 0 && sign - begin < 64 &&
           (word(text_[begin - 1]) || kLocal.find(text_[begin - 1]) != kLocal.npos))
      --begin;
    while (begin < sign && !word(text_[begin])) ++begin;
    while (end < text_.size() && end - sign < 255 &&
           (word(text_[end]) || text_[end] == '.' || text_[end] == '-'))
      ++end;
    while (end > sign + 1 && !word(text_[end - 1])) --end;
    const std::string_view domain = text_.substr(sign + 1, end - sign - 1);
    const size_t dot = domain.rfind('.');
    if (begin == sign || dot == domain.npos || dot == 0 || domain.size() - dot < 3 ||
        domain.find("..") != domain.npos)
      return;
    if (!std::all_of(domain.begin() + static_cast<long>(dot) + 1, domain.end(), letter)) return;
    add(kEmail, begin, end, false);
  }

  // An e-mail wins over a number inside it.
  void drop_overlaps() {
    std::vector<PiiHit> kept;
    for (const PiiHit& hit : hits_) {
      if (!kept.empty() && hit.begin < kept.back().end) {
        if (hit.kind == kEmail) kept.back() = hit;
        continue;
      }
      kept.push_back(hit);
    }
    hits_ = std::move(kept);
  }

  std::string_view text_;
  std::vector<PiiHit> hits_;
};

// Stars for the digits and letters between the first `head` and the last `tail` of them.
std::string star_middle(std::string_view value, size_t head, size_t tail) {
  const auto n = static_cast<size_t>(std::count_if(value.begin(), value.end(), word));
  std::string out;
  size_t seen = 0;
  for (const char c : value) {
    const bool hide = word(c) && seen >= head && seen + tail < n;
    seen += word(c) ? 1 : 0;
    out.push_back(hide ? '*' : c);
  }
  return out;
}

// The first character stays, each other one becomes a star.
std::string star_name(std::string_view name) {
  std::string out;
  size_t at = 0;
  while (at < name.size()) {
    const size_t from = at;
    (void)next_char(name, at);
    if (from == 0)
      out += name.substr(0, at);
    else
      out.push_back('*');
  }
  return out;
}

PiiAction action_for(const RefineRecipe& recipe, std::string_view kind) {
  const auto it = recipe.pii.find(std::string(kind));
  if (it != recipe.pii.end()) return it->second;
  return kind == kUscc || kind == kName ? PiiAction::kKeep : PiiAction::kMask;
}

}  // namespace

std::vector<PiiHit> find_personal_data(std::string_view text) {
  return Scanner(text).run();
}

std::string mask_value(std::string_view kind, std::string_view value) {
  if (kind == kPhone) return star_middle(value, 3, 4);
  if (kind == kLandline) return star_middle(value, value.find_first_not_of("0123456789"), 2);
  if (kind == kEmail)
    return std::string(value.substr(0, 1)) + "***" + std::string(value.substr(value.find('@')));
  if (kind == kIpv4) {
    const size_t second = value.find('.', value.find('.') + 1);
    return std::string(value.substr(0, second)) + ".*.*";
  }
  if (kind == kPassport) return star_middle(value, 1, 2);
  if (kind == kPlate) return star_middle(value, 1, 2);
  if (kind == kAddress) return star_middle(value, 0, 0);
  if (kind == kName) return star_name(value);
  return star_middle(value, 6, 4);
}

std::string mask_personal_data(std::string_view text, const RefineRecipe& recipe,
                               std::map<std::string, PiiCount>& counts) {
  std::string out;
  size_t at = 0;
  for (const PiiHit& hit : find_personal_data(text)) {
    PiiCount& count = counts[std::string(hit.kind)];
    if (hit.near_miss) {
      ++count.near_miss;
      continue;
    }
    ++count.found;
    const PiiAction action = action_for(recipe, hit.kind);
    if (action == PiiAction::kKeep) continue;
    ++count.masked;
    count.chars += static_cast<int64_t>(count_chars(text.substr(hit.begin, hit.end - hit.begin)));
    out += text.substr(at, hit.begin - at);
    if (action == PiiAction::kMask)
      out += mask_value(hit.kind, text.substr(hit.begin, hit.end - hit.begin));
    at = hit.end;
  }
  out += text.substr(at);
  return out;
}

}  // namespace plinth::corpus
