// build_dataset(): generators, then duplicates and leaks out, then a seeded shuffle.
#include <algorithm>
#include <unordered_set>

#include "core/hash.h"
#include "core/interrupt.h"
#include "core/json.h"
#include "core/rng.h"
#include "corpus/corpus.h"
#include "corpus/data/facts.h"
#include "corpus/data/row.h"
#include "corpus/data/written.h"
#include "corpus/exam_index.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr int kExamRun = 13;
constexpr size_t kSampleRows = 24;

// The same fact is often told by several documents; once is enough, its wordings are the variety.
std::string key_of(const Fact& fact) {
  return fact.subject + "\x1F" + fact.attribute + "\x1F" + fact.value;
}

std::vector<Row> generate(const std::vector<Document>& documents, const BuildOptions& options) {
  Lexicon lexicon;
  std::vector<Fact> facts;
  for (const Document& document : documents) {
    auto found = table_facts(document);
    learn_names(found, lexicon);
    facts.insert(facts.end(), std::make_move_iterator(found.begin()),
                 std::make_move_iterator(found.end()));
  }
  std::vector<Row> rows;
  for (const Document& document : documents) {
    if (options.text_rows) add_text_rows(document, options.window_chars, rows);
    if (!options.question_rows) continue;
    add_faq_rows(document, rows);
    add_heading_rows(document, options.answer_chars_max, rows);
    auto found = statement_facts(document, lexicon);
    facts.insert(facts.end(), std::make_move_iterator(found.begin()),
                 std::make_move_iterator(found.end()));
  }
  if (!options.question_rows) return rows;
  Rng rng(options.seed);
  std::unordered_set<std::string> known;
  for (const Fact& fact : facts)
    if (known.insert(key_of(fact)).second) {
      add_fact_rows(fact, options.phrasings, rng, rows);
      if (options.cloze_rows) add_cloze_row(fact, rows);
    }
  return rows;
}

Json json_of(const Row& row) {
  Json out = {{"source", row.source}, {"generator", std::string(row.generator)}};
  if (row.question.empty()) {
    out["text"] = row.answer;
  } else {
    out["messages"] = {{{"role", "user"}, {"content", row.question}},
                       {{"role", "assistant"}, {"content", row.answer}}};
  }
  return out;
}

void shuffle(std::vector<Row>& rows, uint64_t seed) {
  Rng rng(seed ^ 0x9E3779B97F4A7C15u);
  for (size_t i = rows.size(); i > 1; --i) std::swap(rows[i - 1], rows[rng.below(i)]);
}

}  // namespace

Result<BuildReport> build_dataset(const Path& corpus_dir, const std::vector<Path>& suites,
                                  const Path& out_file, const BuildOptions& options) {
  if (options.window_chars < 50)
    return invalid("data build: window_chars {} is below 50", options.window_chars);
  if (options.phrasings < 1)
    return invalid("data build: phrasings {} is below 1", options.phrasings);
  if (options.answer_chars_max < 20)
    return invalid("data build: answer_chars_max {} is below 20", options.answer_chars_max);
  PLINTH_TRY(const ExamIndex exams, ExamIndex::read(suites, kExamRun));
  PLINTH_TRY(const auto documents, read_documents(corpus_dir));
  PLINTH_TRY(check_interrupted());
  BuildReport report;
  auto rows = generate(documents, options);
  if (options.writer) PLINTH_TRY(add_written_rows(documents, options, rows, report));
  shuffle(rows, options.seed);

  std::unordered_set<uint64_t> seen;
  std::string out;
  int64_t question_chars = 0, answer_chars = 0, text_chars = 0;
  Json sample = Json::array();
  for (const Row& row : rows) {
    if (!seen.insert(xxh3(row.question + "\x1F" + row.answer)).second) {
      ++report.duplicates;
      continue;
    }
    if (exams.touches(row.question + "\n" + row.answer)) {
      ++report.leaks;
      continue;
    }
    const Json json = json_of(row);
    out += to_text(json) + "\n";
    ++report.rows;
    ++report.by_generator[std::string(row.generator)];
    if (row.question.empty()) {
      ++report.text_rows;
      text_chars += static_cast<int64_t>(count_chars(row.answer));
    } else {
      ++report.message_rows;
      question_chars += static_cast<int64_t>(count_chars(row.question));
      answer_chars += static_cast<int64_t>(count_chars(row.answer));
    }
    if (sample.size() < kSampleRows) sample.push_back(json);
  }
  if (report.rows == 0)
    return invalid("data build: {} gave no rows from {} documents", corpus_dir.string(),
                   documents.size());
  PLINTH_TRY(write_file_atomic(out_file, out));
  const Json json = {
      {"rows", report.rows},
      {"text_rows", report.text_rows},
      {"message_rows", report.message_rows},
      {"by_generator", report.by_generator},
      {"duplicates", report.duplicates},
      {"leaks", report.leaks},
      {"unusable", report.unusable},
      {"ungrounded", report.ungrounded},
      {"documents", documents.size()},
      {"suite_questions", exams.questions()},
      {"seed", options.seed},
      {"chars", {{"text", text_chars}, {"questions", question_chars}, {"answers", answer_chars}}},
      {"sha256", sha256_hex(out)},
      {"sample", std::move(sample)}};
  report.json = to_text(json);
  return report;
}

}  // namespace plinth::corpus
