// What the fuzzers run; their seeds run it in the unit tests too.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "core/check.h"
#include "corpus/office/office.h"
#include "corpus/read/readers.h"
#include "corpus/text_path.h"
#include "corpus/unpack/unpack.h"
#include "corpus/unpack/web_archive.h"
#include "text/unicode.h"

namespace plinth::corpus {

// Whatever the bytes are: no crash, and what comes out is valid UTF-8 once cleaned.
inline void check_drafts(const Result<Drafts>& drafts) {
  if (!drafts) return;
  for (const Draft& draft : drafts->drafts)
    PLINTH_CHECK(text::is_valid_utf8(clean_text(draft.text).text));
}

inline void fuzz_html(std::string_view bytes) {
  check_drafts(read_html({"f.html", bytes}));
}

inline void fuzz_csv(std::string_view bytes) {
  check_drafts(read_csv({"f.csv", bytes}, {}));
}

// Parts of a ZIP as "name NUL content NUL name ...", which no guess at a checksum reaches.
inline Parts parts_of(std::string_view bytes) {
  Parts out;
  while (!bytes.empty()) {
    std::string_view fields[2];
    for (std::string_view& field : fields) {
      const size_t end = std::min(bytes.find('\0'), bytes.size());
      field = bytes.substr(0, end);
      bytes.remove_prefix(std::min(end + 1, bytes.size()));
    }
    out[std::string(fields[0])] = fields[1];
  }
  return out;
}

inline void check_text(const Result<std::string>& text) {
  if (text) PLINTH_CHECK(text::is_valid_utf8(clean_text(*text).text));
}

inline void fuzz_docx(std::string_view bytes) {
  check_drafts(read_docx({"f.docx", bytes}));
  const size_t document = std::min(bytes.find('\0'), bytes.size());
  check_text(docx_text(std::string(bytes.substr(0, document)),
                       std::string(bytes.substr(std::min(document + 1, bytes.size())))));
}

inline void fuzz_xlsx(std::string_view bytes) {
  check_drafts(read_xlsx({"f.xlsx", bytes}, {}));
  check_drafts(xlsx_drafts(parts_of(bytes), bytes.size(), {}));
}

inline void fuzz_pptx(std::string_view bytes) {
  check_drafts(read_pptx({"f.pptx", bytes}));
  check_text(pptx_text(parts_of(bytes)));
}

inline void fuzz_epub(std::string_view bytes) {
  check_drafts(read_epub({"f.epub", bytes}));
  const auto draft = epub_draft(parts_of(bytes));
  if (draft) check_text(draft->text);
}

// Whatever the container: leaves end, bounds hold, kinds are never containers.
inline void fuzz_unpack(std::string_view bytes) {
  RefineRecipe recipe;
  recipe.file_bytes_max = uint64_t{1} << 20;
  recipe.unpack_bytes_max = uint64_t{8} << 20;
  recipe.unpack_entries_max = 1000;
  const Kind kind = kind_of("f", bytes);
  if (!is_container(kind)) return;
  uint64_t unpacked = 0;
  PLINTH_CHECK(unpack({"f", bytes}, kind, recipe, [&](Leaf&& leaf) -> Status {
    unpacked += leaf.bytes.size();
    PLINTH_CHECK(!is_container(leaf.kind) && leaf.begin <= leaf.end);
    PLINTH_CHECK(text::is_valid_utf8(leaf.path) && leaf.error.empty() != leaf.bytes.empty());
    return {};
  }));
  PLINTH_CHECK(unpacked <= recipe.unpack_bytes_max);
}

inline void fuzz_web_archive(std::string_view bytes) {
  PLINTH_CHECK(read_web_archive(bytes, size_t{1} << 20, [&](WebRecord&& record) -> Status {
    PLINTH_CHECK(record.begin <= record.end && record.error.empty() != record.bytes.empty());
    return {};
  }));
}

}  // namespace plinth::corpus
