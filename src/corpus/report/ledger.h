// What happened during a refine run, gathered in input order: the ground for both reports. Its size
// does not depend on the number of documents.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "corpus/corpus.h"
#include "corpus/stage/facts.h"

namespace plinth::corpus {

struct RejectExample {
  std::string path;
  std::string reason;
  std::string snippet;
};

struct ClusterMember {
  std::string id;
  std::string path;
  double similarity = 1;  // to the kept document
};

struct Cluster {
  ClusterMember kept;
  std::vector<ClusterMember> dropped;  // the first of them
  int64_t dropped_total = 0;
};

// A rule that changes text, over all documents.
struct RuleEffect {
  int64_t documents = 0;
  int64_t chars = 0;  // that went or are others now

  struct Example {
    std::string path;
    std::string before;
    std::string after;
  };

  std::vector<Example> examples;  // the first few
};

struct Ledger {
  int64_t files = 0;
  int64_t leaves = 0;  // of containers
  uint64_t bytes_in = 0;
  uint64_t bytes_unpacked = 0;
  int64_t documents_in = 0;
  int64_t documents_out = 0;
  int64_t chars_in = 0;
  int64_t chars_out = 0;
  int64_t unreadable = 0;
  int64_t repaired = 0;
  int64_t normalised = 0;
  int64_t html_pages = 0;
  int64_t html_pages_cleaned = 0;
  int64_t html_blocks_removed = 0;
  int64_t exam_lines = 0;
  int64_t exam_documents = 0;  // that lost lines and stayed
  int64_t suite_questions = 0;
  std::map<std::string, int64_t> files_by_kind;
  std::map<std::string, int64_t> documents_by_lang;
  std::map<std::string, int64_t> rejects_by_stage;
  std::map<std::string, int64_t> chars_by_stage;               // of these, as read
  std::map<std::string, std::vector<RejectExample>> examples;  // by stage, the first few
  std::map<std::string, PiiCount> pii;
  std::vector<Cluster> exact;
  std::vector<Cluster> near;
  std::map<std::string, RuleEffect> rules;  // by name
  std::vector<std::string> exam_samples;
  std::map<std::string, int64_t> sources;  // documents kept, by top folder

  // Kept documents and characters under one licence.
  struct Licensed {
    int64_t documents = 0;
    int64_t chars = 0;
  };

  std::map<std::string, Licensed> licences;  // "": the register says nothing

  // Documents with words of a risk class.
  struct Risk {
    int64_t found = 0;
    int64_t kept = 0;
  };

  std::map<std::string, Risk> risks;  // by class id

  void add_file(const FileFacts& file);
  // Before its fate is known.
  void add_read(const DocumentFacts& document);
  // facts.stage and facts.reason say why. text: asked for where an example is still wanted.
  void add_reject(const DocumentFacts& document, const std::function<std::string()>& text);
  void add_kept(const DocumentFacts& document);
};

// The stages in the order of the pipeline: the bars of the funnel.
const std::vector<std::string>& stage_order();

// RefineReport::found.
std::map<std::string, int64_t> found_by_kind(const Ledger& ledger);

// report.json; seconds are the only figures that differ between equal runs.
std::string report_json(const Ledger& ledger, double seconds);

// One offline page, Chinese and English, every string escaped.
std::string report_html(const Ledger& ledger);

}  // namespace plinth::corpus
