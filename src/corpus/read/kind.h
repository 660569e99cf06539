// What kind of file is this? By its bytes first, by its name where bytes cannot tell.
#pragma once

#include <string_view>

namespace plinth::corpus {

enum class Kind { kText, kMarkdown, kHtml, kPdf, kDocx, kCsv, kJsonl, kBinary };

std::string_view kind_name(Kind kind);

Kind kind_of(std::string_view name, std::string_view bytes);

}  // namespace plinth::corpus
