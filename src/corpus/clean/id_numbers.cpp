#include "corpus/clean/id_numbers.h"

#include <algorithm>
#include <array>

namespace plinth::corpus {
namespace {

int digit(char c) {
  return c - '0';
}

int number(std::string_view digits) {
  int value = 0;
  for (const char c : digits) value = value * 10 + digit(c);
  return value;
}

constexpr std::string_view kUsccAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY";

}  // namespace

bool has_region_prefix(std::string_view id) {
  // Province codes of GB/T 2260.
  static constexpr std::array<int, 35> kProvinces = {11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34,
                                                     35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52,
                                                     53, 54, 61, 62, 63, 64, 65, 71, 81, 82, 83};
  return id.size() >= 2 &&
         std::binary_search(kProvinces.begin(), kProvinces.end(), number(id.substr(0, 2)));
}

bool has_birth_date(std::string_view id) {
  if (id.size() < 14) return false;
  const int year = number(id.substr(6, 4)), month = number(id.substr(10, 2)),
            day = number(id.substr(12, 2));
  if (year < 1900 || year > 2099 || month < 1 || month > 12 || day < 1) return false;
  static constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day <= kDays[static_cast<size_t>(month) - 1] + (leap && month == 2 ? 1 : 0);
}

bool has_id_checksum(std::string_view id) {
  static constexpr std::array<int, 17> kWeights = {7, 9, 10, 5,  8, 4, 2, 1, 6,
                                                   3, 7, 9,  10, 5, 8, 4, 2};
  if (id.size() != 18) return false;
  int sum = 0;
  for (size_t i = 0; i < kWeights.size(); ++i) sum += digit(id[i]) * kWeights[i];
  const char expected = std::string_view("10X98765432")[static_cast<size_t>(sum % 11)];
  return id[17] == expected || (expected == 'X' && id[17] == 'x');
}

bool has_luhn_checksum(std::string_view digits) {
  int sum = 0;
  for (size_t i = 0; i < digits.size(); ++i) {
    int value = digit(digits[digits.size() - 1 - i]);
    if (i % 2 == 1) value = value * 2 > 9 ? value * 2 - 9 : value * 2;
    sum += value;
  }
  return sum % 10 == 0;
}

bool has_issuer_prefix(std::string_view digits) {
  if (digits.size() < 4) return false;
  const int two = number(digits.substr(0, 2)), four = number(digits.substr(0, 4));
  return two == 62 || two == 60 || four == 9558 || four == 9559 || two == 35 ||
         (digits.size() == 16 &&
          (digits[0] == '4' || (two >= 51 && two <= 55) || (four >= 2221 && four <= 2720)));
}

bool is_uscc_shape(std::string_view code) {
  // First the registering authority, second the kind of organisation, then six digits of region.
  if (code.size() != 18 || std::string_view("1259AN Y").find(code[0]) == std::string_view::npos ||
      code[0] == ' ')
    return false;
  if (!std::all_of(code.begin(), code.end(),
                   [](char c) { return kUsccAlphabet.find(c) != std::string_view::npos; }))
    return false;
  return std::all_of(code.begin() + 2, code.begin() + 8,
                     [](char c) { return c >= '0' && c <= '9'; }) &&
         has_region_prefix(code.substr(2));
}

bool has_uscc_checksum(std::string_view code) {
  if (code.size() != 18) return false;
  int sum = 0, weight = 1;
  for (size_t i = 0; i < 17; ++i) {
    const size_t value = kUsccAlphabet.find(code[i]);
    if (value == std::string_view::npos) return false;
    sum += static_cast<int>(value) * weight;
    weight = weight * 3 % 31;
  }
  return kUsccAlphabet[static_cast<size_t>((31 - sum % 31) % 31)] == code[17];
}

bool is_mobile_segment(std::string_view digits) {
  if (digits.size() < 3 || digits[0] != '1') return false;
  const std::string_view third = [&]() -> std::string_view {
    switch (digits[1]) {
      case '3':
      case '8':
        return "0123456789";
      case '4':
        return "01456789";
      case '5':
      case '9':
        return "012356789";
      case '6':
        return "2567";
      case '7':
        return "012345678";
      default:
        return "";
    }
  }();
  return third.find(digits[2]) != std::string_view::npos;
}

}  // namespace plinth::corpus
