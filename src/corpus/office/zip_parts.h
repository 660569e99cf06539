// ZIP files that are one document (DOCX, XLSX, PPTX, EPUB): their parts by name.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace plinth::corpus {

using Parts = std::map<std::string, std::string>;

// Against ZIP bombs: what the parts may unpack to, one and all, and how many entries are looked at.
constexpr size_t kPartBytesMax = size_t{128} << 20;
constexpr size_t kPartsBytesMax = size_t{256} << 20;
constexpr int kZipEntriesMax = 20'000;

// Unpacks the entries whose names are wanted; the first of several with one name counts. `format`
// is what messages call the file: "DOCX".
Result<Parts> zip_parts(std::string_view bytes, std::string_view format,
                        const std::function<bool(std::string_view name)>& wanted);

// The names in the ZIP's directory, at most kZipEntriesMax; where that is missing (a truncated
// file), those of the local headers that can be found in the first 64 KiB. Unpacks nothing.
std::vector<std::string> zip_names(std::string_view bytes);

// "xl/worksheets/../media/a.xml" -> "xl/media/a.xml"; "/xl/a.xml" -> "xl/a.xml".
std::string resolve_part(std::string_view folder, std::string_view target);

}  // namespace plinth::corpus
