// What the fuzzers run; their seeds run it in the unit tests too.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "core/check.h"
#include "corpus/read/readers.h"
#include "corpus/text_path.h"
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

// As a ZIP; and as the parts of one (document, NUL, styles), which no guess at a checksum reaches.
inline void fuzz_docx(std::string_view bytes) {
  check_drafts(read_docx({"f.docx", bytes}));
  const size_t document = std::min(bytes.find('\0'), bytes.size());
  const auto text = docx_text(std::string(bytes.substr(0, document)),
                              std::string(bytes.substr(std::min(document + 1, bytes.size()))));
  if (text) PLINTH_CHECK(text::is_valid_utf8(clean_text(*text).text));
}

}  // namespace plinth::corpus
