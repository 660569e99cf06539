// One reader per format. Each is pure: bytes in, drafts out. None throws, none reads beyond bounds
// it states, and what it cannot read it names in Drafts::bad or as an Error for the whole file.
#pragma once

#include "corpus/corpus.h"
#include "corpus/read/draft.h"
#include "corpus/read/kind.h"

namespace plinth::corpus {

Result<Drafts> read_text(const RawFile& file);
Result<Drafts> read_markdown(const RawFile& file);
Result<Drafts> read_html(const RawFile& file);
Result<Drafts> read_pdf(const RawFile& file);
Result<Drafts> read_docx(const RawFile& file);
Result<Drafts> read_xlsx(const RawFile& file, const RefineRecipe& recipe);
Result<Drafts> read_pptx(const RawFile& file);
Result<Drafts> read_epub(const RawFile& file);
Result<Drafts> read_csv(const RawFile& file, const RefineRecipe& recipe);
Result<Drafts> read_jsonl(const RawFile& file, const RefineRecipe& recipe);

// The reader for a kind; binary files and containers are an error.
Result<Drafts> read_any(const RawFile& file, Kind kind, const RefineRecipe& recipe);

// The title that a text gives itself: its first heading, else a short first line that does not end
// like a sentence, else the file's name without folder and extension.
std::string title_of(std::string_view text, std::string_view path);

// "a/b/年报.txt" -> "年报"
std::string stem_of(std::string_view path);

}  // namespace plinth::corpus
