// What a run remembers of each file and document beside its text: the ground for duplicates and
// reports. It travels through the pieces of a run as JSON.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/json.h"
#include "corpus/clean/personal_data.h"
#include "corpus/process.h"

namespace plinth::corpus {

// A file on disk, or a leaf of a container.
struct FileFacts {
  std::string path;
  std::string sha256;
  std::string kind;
  uint64_t bytes = 0;
  bool leaf = false;
  bool continues = false;  // the leaf before it: one member, in pieces
};

struct DocumentFacts {
  std::string id;
  std::string path;
  std::string lang;
  std::string stage;  // empty: not dropped so far
  std::string reason;
  int64_t chars_in = 0;   // as read
  int64_t chars_out = 0;  // of the finished text
  bool html = false;
  bool repaired = false;
  bool normalised = false;
  int64_t blocks_removed = 0;
  int64_t exam_lines = 0;
  std::vector<std::string> exam_samples;  // the first few of them
  std::map<std::string, PiiCount> pii;
  std::vector<std::string> risks;  // ids of risk classes
  std::string licence;
  std::vector<Effect> effects;
};

FileFacts facts_of(const std::string& path, const FileOutcome& file);
DocumentFacts facts_of(const Outcome& outcome, Kind kind);

Json to_json(const FileFacts& facts);
// Appends JSON in one line.
void append_text(const DocumentFacts& facts, std::string& out);

// From JSON that these made; members that are missing keep their defaults.
FileFacts file_facts(const Json& json);
DocumentFacts document_facts(const Json& json);

}  // namespace plinth::corpus
