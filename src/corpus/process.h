// One file, or leaf of a container, through the stages that need no other file: read, clean,
// filter, cut exam text, mask.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "corpus/clean/filters.h"
#include "corpus/clean/personal_data.h"
#include "corpus/corpus.h"
#include "corpus/dedup/minhash.h"
#include "corpus/read/kind.h"
#include "corpus/read/walk.h"
#include "corpus/rules.h"
#include "corpus/unpack/unpack.h"

namespace plinth::corpus {

// What a rule did to a document.
struct Effect {
  std::string rule;    // "mojibake", "exam-lines", "mask:phone", ...
  int64_t chars = 0;   // that went or are others now
  std::string before;  // one of the lines; empty: none is shown
  std::string after;   // what became of it; empty: it went
};

// A document on its way: finished but for its fate among the duplicates.
struct Outcome {
  Document document;
  std::optional<Drop> drop;
  uint64_t text_hash = 0;  // of the text without white space and heading marks
  BandKeys keys{};
  uint32_t chars_min = 0;  // by the profile that it was judged by
  int64_t chars = 0;       // as read
  bool repaired = false;
  bool normalised = false;
  int blocks_removed = 0;
  std::vector<std::string> exam_lines;  // cut out
  std::map<std::string, PiiCount> pii;
  std::vector<std::string> risks;  // ids of the risk classes whose words it has
  std::vector<Effect> effects;     // of the rules that change text
};

// What came of a file on disk, or of a leaf of a container.
struct FileOutcome {
  Kind kind = Kind::kBinary;
  std::string sha256;  // of the file on disk
  uint64_t bytes = 0;
  bool leaf = false;              // of a container that was told of before
  bool continues = false;         // the leaf that came before it, in the same member
  bool opens = false;             // its leaves follow, outcomes is empty
  std::vector<Outcome> outcomes;  // unreadable parts are outcomes with stage "read"
};

// Takes the outcomes of a file one after the other: those of a file with many rows are never all in
// memory. `file` has everything but its outcomes.
using OutcomeSink = std::function<void(const FileOutcome& file, Outcome&& outcome)>;

// Of a text: white space and heading marks do not make it another text.
uint64_t text_hash(std::string_view text);

// Reads a file, unless it is one whose leaves are to be processed by themselves (see `opens`).
// Returns the file without its outcomes.
FileOutcome process_file(const InputFile& file, const Rules& rules, const OutcomeSink& sink);

// The same for a leaf. sha256: of the file on disk that it is in.
FileOutcome process_leaf(const Leaf& leaf, const std::string& sha256, const Rules& rules,
                         const OutcomeSink& sink);

// The leaf with all its outcomes.
FileOutcome process_leaf(const Leaf& leaf, const std::string& sha256, const Rules& rules);

}  // namespace plinth::corpus
