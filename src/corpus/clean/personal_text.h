// Personal data that carries no checksum: passports, licence plates, home addresses, names with a
// title. Shape alone proves little here, so each needs something beside it that says what it is.
#pragma once

#include <string_view>
#include <vector>

#include "corpus/clean/personal_data.h"

namespace plinth::corpus {

// Appends hits, in no order; they may overlap those of other kinds.
//
// passport  E12345678, EA1234567, G12345678, SE1234567 within 30 bytes behind 护照 or "passport"
// plate     京A12345, 京A·12345, 京AD12345 (new energy), 粤B1234港: province, office, a valid body
// address   road and number with the flat (3栋2单元501室), or behind a word such as 住址
// name      张伟先生, 欧阳明女士; 姓名：张伟. A surname with a title alone (王先生) names nobody.
void find_personal_text(std::string_view text, std::vector<PiiHit>& hits);

}  // namespace plinth::corpus
