// CSV: rows as text, with the bytes that they come from.
#include "corpus/read/csv_parse.h"
#include "corpus/read/readers.h"
#include "corpus/read/row_text.h"
#include "corpus/text_path.h"

namespace plinth::corpus {

Result<Drafts> read_csv(const RawFile& file, const RefineRecipe& recipe) {
  PLINTH_TRY(const auto decoded, decode_text(file.bytes, file.charset));
  // Offsets hold for the raw bytes only where decoding kept them.
  const bool offsets_hold = decoded.text.size() == file.bytes.size();
  Drafts out;
  RowsAsText text(stem_of(file.path), static_cast<size_t>(recipe.csv_rows_per_document),
                  [&](RowsText&& part) {
                    Draft draft;
                    draft.begin = offsets_hold ? part.begin : part.first;
                    draft.end = offsets_hold ? part.end : file.bytes.size();
                    if (decoded.charset != "utf-8" && decoded.charset != "ascii")
                      draft.rules.push_back("charset:" + decoded.charset);
                    draft.title = std::move(part.title);
                    draft.text = std::move(part.text);
                    out.drafts.push_back(std::move(draft));
                  });
  each_csv_row(decoded.text, csv_separator(decoded.text), [&](CsvRow&& row) { text.add(row); });
  text.end();
  if (out.drafts.empty()) return invalid("no rows in the table of {} bytes", file.bytes.size());
  return out;
}

}  // namespace plinth::corpus
