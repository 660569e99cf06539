// What kind of file is this? By its bytes first, by its name where bytes cannot tell.
#pragma once

#include <string_view>

namespace plinth::corpus {

enum class Kind {
  kText,
  kMarkdown,
  kHtml,
  kPdf,
  kDocx,
  kXlsx,
  kPptx,
  kEpub,
  kCsv,
  kJsonl,
  // Containers: other files are inside (unpack/unpack.h).
  kZip,
  kTar,
  kSevenZip,
  kGzip,
  kZstd,
  kXz,
  kBzip2,
  kWarc,
  kArc,
  kBinary,
};

std::string_view kind_name(Kind kind);

bool is_container(Kind kind);

// Can a long file of this kind be cut between its lines? `bytes` may be its beginning.
bool comes_in_pieces(Kind kind, std::string_view bytes);

// Looks at the whole ZIP directory, otherwise at the first kilobytes.
Kind kind_of(std::string_view name, std::string_view bytes);

}  // namespace plinth::corpus
