// What must not be trained on: every run of n characters of the suites' questions.
//
// Characters are compared folded, without punctuation and white space, so that re-wrapping or
// re-punctuating a question does not hide it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "core/file.h"
#include "core/result.h"

namespace plinth::corpus {

class ExamIndex {
 public:
  // run: characters of a run, 4..64.
  explicit ExamIndex(int run) : run_(run), maybe_(kFilterSlots, false) {}

  // Reads suites: JSONL rows with "question" (or "prompt") and "answer"; the answer is text or the
  // index or letter of a choice. A row that cannot be read is an error: a silent gap here would let
  // exam text through.
  static Result<ExamIndex> read(std::span<const Path> suites, int run);

  void add(std::string_view text);

  size_t questions() const { return questions_; }

  bool empty() const { return runs_.empty(); }

  // Shares at least one run.
  bool touches(std::string_view text) const;

  // The lines of the text that take part in a shared run; runs may go across line breaks.
  std::vector<bool> touched_lines(std::string_view text) const;

 private:
  Status add_row(std::string_view line, std::string_view where);

  template <typename Body>
  void each_run(std::string_view text, Body&& body) const;

  // One bit per slot before the set is asked: nearly every run of a corpus ends there.
  static constexpr size_t kFilterSlots = size_t{1} << 20;

  static size_t filter_slot(uint64_t hash) { return hash >> 44; }

  bool holds(uint64_t hash) const { return maybe_[filter_slot(hash)] && runs_.contains(hash); }

  int run_;
  size_t questions_ = 0;
  std::unordered_set<uint64_t> runs_;
  std::vector<bool> maybe_;
};

// The text without the lines that touch the index. Removing lines can bring others together; this
// repeats until nothing touches.
struct Cut {
  std::string text;
  std::vector<std::string> lines;  // what was taken out
  double share = 0;                // of the characters
};

Cut cut_exam_lines(std::string_view text, const ExamIndex& index);

}  // namespace plinth::corpus
