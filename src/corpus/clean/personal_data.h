// Finds personal data in text and masks it.
//
// Numbers first; personal_text.h finds what is rather words. A candidate must stand alone: no
// letter or digit touches it. Kinds are tried in an order that keeps them apart: identity number,
// organisation code, bank card, mobile, landline. What has the right shape but fails its proof
// (checksum, date, number of digits) is a near miss: counted, left alone.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "corpus/corpus.h"

namespace plinth::corpus {

constexpr std::array<std::string_view, 11> kPiiKinds = {
    "id_card", "phone",    "landline", "bank_card", "uscc", "email",
    "ipv4",    "passport", "plate",    "address",   "name"};

struct PiiHit {
  std::string_view kind;  // one of kPiiKinds
  size_t begin = 0;
  size_t end = 0;
  bool near_miss = false;
};

// In order of position, never overlapping.
std::vector<PiiHit> find_personal_data(std::string_view text);

// The masked form of a value, same length in characters for numbers: 138****1234,
// 110101********123X, 6222 02** **** 7890, a***@example.com, 203.0.*.*, E******78, 京A***45,
// 文三路**号*栋***室, 张*. Equal values have equal masks.
std::string mask_value(std::string_view kind, std::string_view value);

struct PiiCount {
  int64_t found = 0;
  int64_t masked = 0;
  int64_t near_miss = 0;
  int64_t chars = 0;  // in the values that were masked
};

// Applies the recipe's actions; counts by kind.
std::string mask_personal_data(std::string_view text, const RefineRecipe& recipe,
                               std::map<std::string, PiiCount>& counts);

}  // namespace plinth::corpus
