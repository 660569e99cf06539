// CSV: rows as text, with the bytes that they come from.
#include "corpus/read/csv_parse.h"
#include "corpus/read/readers.h"
#include "corpus/read/row_text.h"
#include "corpus/text_path.h"

namespace plinth::corpus {

Result<Drafts> read_csv(const RawFile& file, const RefineRecipe& recipe) {
  PLINTH_TRY(const auto decoded, decode_text(file.bytes, file.charset));
  const auto rows = parse_csv(decoded.text, csv_separator(decoded.text));
  if (rows.empty()) return invalid("no rows in the table of {} bytes", file.bytes.size());
  // Offsets hold for the raw bytes only where decoding kept them.
  const bool offsets_hold = decoded.text.size() == file.bytes.size();
  Drafts out;
  for (RowsText& part :
       rows_as_text(rows, stem_of(file.path), static_cast<size_t>(recipe.csv_rows_per_document))) {
    Draft draft;
    draft.begin = offsets_hold ? rows[part.first].begin : part.first;
    draft.end = offsets_hold ? rows[part.last - 1].end : file.bytes.size();
    if (decoded.charset != "utf-8" && decoded.charset != "ascii")
      draft.rules.push_back("charset:" + decoded.charset);
    draft.title = std::move(part.title);
    draft.text = std::move(part.text);
    out.drafts.push_back(std::move(draft));
  }
  return out;
}

}  // namespace plinth::corpus
