// Numbers that carry their own proof: resident identity, bank card, organisation code.
//
// Each function takes bare characters, no separators.
#pragma once

#include <string_view>

namespace plinth::corpus {

// GB 11643-1999: 6 digits of region, 8 of birth date, 3 of sequence, a check character by
// ISO 7064 MOD 11-2.
bool has_region_prefix(std::string_view id);  // the first two digits are a province
bool has_birth_date(std::string_view id);     // digits 7..14 are a day between 1900 and 2099
bool has_id_checksum(std::string_view id);

// ISO/IEC 7812-1: Luhn.
bool has_luhn_checksum(std::string_view digits);
// Issuers met in China: UnionPay 62, 60, 9558..9559, JCB 35; of 16 digits only: Visa 4, Mastercard
// 51-55 and 2221-2720.
bool has_issuer_prefix(std::string_view digits);

// GB 32100-2015: 18 of 0-9A-Z without I, O, S, V, Z; check character modulo 31.
bool is_uscc_shape(std::string_view code);
bool has_uscc_checksum(std::string_view code);

// A mobile segment that a Chinese operator has been given: the first three of eleven digits.
bool is_mobile_segment(std::string_view digits);

}  // namespace plinth::corpus
