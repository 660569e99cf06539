// Lines that recur over the documents of one source: headers, footers, navigation, notices.
//
// Recurring is not enough: laws share their closing articles, technical documents their code. Only
// lines at the top and the bottom of a document go, and of these never an article, a numbered
// heading, a formula of law, a table row or code.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "corpus/corpus.h"

namespace plinth::corpus {

// What a document belongs to: the host of its page, else the top folder of its path, or the file at
// the top that it is in ("laws/a.txt" -> "laws", "rows.jsonl.gz!/rows.jsonl" -> "rows.jsonl.gz",
// "a.txt" -> ".").
std::string source_name(const Source& source);

// Keys of the distinct lines near both ends of a text that may be boilerplate, at most 2 x 64, in
// the order of the text. The first key is the source's own: counted alike, it says how many
// documents the source has. Lines of different sources have different keys.
std::vector<uint64_t> edge_line_keys(std::string_view text, std::string_view source);

// How many of the source's documents have the line of this key; 0: too few to matter.
using LineCount = std::function<uint32_t(uint64_t key)>;

struct RepeatedLine {
  std::string text;
  uint32_t documents = 0;  // of the source that have it
};

struct BoilerplateCut {
  std::string text;
  std::vector<RepeatedLine> lines;  // what was taken out, in order
  int64_t chars = 0;                // in these
  uint32_t of = 0;                  // documents of the source
  // Cut out of the text that came in, ascending and apart: [begin, end) bytes.
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
};

// Takes out, from both ends, the lines that more than share_min of the source's documents have;
// and, among the next few lines behind these, those that more than half have.
BoilerplateCut cut_boilerplate(std::string_view text, std::string_view source, double share_min,
                               const LineCount& count);

}  // namespace plinth::corpus
