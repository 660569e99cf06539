// A statement as a table that spreadsheets read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace plinth::server {

// Header and one line for each tenant and model; costs and prices in units of the currency with six
// digits.
std::string statement_csv(std::string_view month, const std::vector<store::StatementRow>& rows);

}  // namespace plinth::server
