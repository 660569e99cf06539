// What is in the unpacked parts of office documents: the readers behind read_docx() and its kin,
// for tests and fuzzers too, which no checksum of a ZIP must stop.
#pragma once

#include <string>

#include "corpus/corpus.h"
#include "corpus/office/zip_parts.h"
#include "corpus/read/draft.h"

namespace plinth::corpus {

// The second part may be empty.
Result<std::string> docx_text(const std::string& document_xml, const std::string& styles_xml);
Result<Drafts> xlsx_drafts(const Parts& parts, uint64_t file_bytes, const RefineRecipe& recipe);
// With a kPageMark before each slide.
Result<std::string> pptx_text(const Parts& parts);
// With a kPageMark before each part of the spine.
Result<Draft> epub_draft(const Parts& parts);

}  // namespace plinth::corpus
