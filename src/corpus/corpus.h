// Corpus: raw documents in, refined documents and training rows out.
//
// refine() walks folders of txt, Markdown, HTML, PDF, DOCX, XLSX, PPTX, EPUB, CSV and JSONL, opens
// ZIP, tar, 7z, gzip, zstd, xz, bzip2, WARC and ARC files at any depth, cleans what it reads, masks
// personal data, drops duplicates and exam text, and writes JSON Lines shards with a report.
// Nothing is lost silently: a document is kept, or it is a line in the rejects with stage and
// reason. build_dataset() turns a refined corpus into rows for training.
//
// The same inputs and recipe give the same bytes for any number of threads and machines. Work runs
// on compute_pool(); these functions may be called from any thread, one at a time per output.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"
#include "core/json.h"
#include "core/result.h"

namespace plinth::corpus {

// Page `page` of the raw file (slide, sheet, part of an EPUB) begins at byte `at` of the document's
// text.
struct PageMark {
  int page = 0;
  uint64_t at = 0;
};

// Where a document came from.
struct Source {
  std::string path;     // relative to the input folder, '/' between parts; "a.zip!/b/c.txt" inside
  std::string sha256;   // of the file on disk: of a.zip
  std::string url;      // of a page in a WARC or ARC
  std::string licence;  // what the recipe's register says of it; empty: nothing
  uint64_t begin = 0;   // the bytes [begin, end) of what path names
  uint64_t end = 0;
  std::vector<PageMark> pages;  // ascending; empty where the format has no pages
};

struct Document {
  std::string id;    // 16 hexadecimal digits, from path, begin and, where several documents have
                     // both, their number: survives edits of the file
  std::string text;  // UTF-8; headings are Markdown "#" lines, tables are Markdown tables
  std::string title;
  std::string lang;                 // "zh", "en" or "und"
  double quality = 0;               // 0..1, higher reads better
  double quality_model = -1;        // 0..1 by the recipe's learned model, -1 without one
  double doubt = 0;                 // of the soft filters together; above 1 it is a reject
  std::vector<std::string> doubts;  // what they say
  Source source;
  std::vector<std::string> rules;  // what touched it: "charset:gb18030", "mask:phone", ...
};

// A part of a document under one heading. The text before the first heading has an empty heading.
struct Section {
  std::string heading;            // without "#"
  std::vector<std::string> path;  // headings above this one, outermost first
  int level = 0;                  // 1..6, 0 before the first heading
  uint64_t begin = 0;             // bytes [begin, end) of the text, heading line included
  uint64_t end = 0;
  uint64_t body = 0;  // where the text after the heading line begins
};

// Cuts a text at its headings: Markdown "#" lines, else numbered lines such as 第一章 or 一、.
std::vector<Section> sections(std::string_view text);

// The page on which byte `at` of the text lies; 0 where the format has no pages.
int page_at(const Source& source, uint64_t at);

// What to do with one kind of personal data. A masked value keeps its form: 138****1234.
enum class PiiAction { kMask, kKeep, kDrop };

// An entry of the register of sources: under which licence their documents are.
struct SourceLicence {
  std::string path;  // the beginning of Source::path; the longest that fits counts
  std::string name;
  std::string licence;  // "CC BY 4.0", "public domain", a contract's number
  std::string url;
  std::string profile = {};                   // of its documents; empty: the recipe's
  std::map<std::string, double> limits = {};  // of filters, by key: over the profile's
};

// Thresholds of the pipeline; a TOML recipe sets them by these names, under [refine].
struct RefineRecipe {
  // What the run may hold in memory, bytes. Some 60 bytes of each document lie in mapped files
  // beside that, which the system may write out. No document may be larger than a 16th of it.
  uint64_t memory = uint64_t{2} << 30;
  // Reading
  std::string jsonl_text = "text";  // member that holds the text of a JSONL row
  std::string jsonl_title = "title";
  uint64_t file_bytes_max = uint64_t{1} << 30;  // larger ones are rejected unread; no container is
  int csv_rows_per_document = 200;
  // Containers: what a file may unpack to, with everything inside it together
  int unpack_depth_max = 8;       // containers inside one another
  double unpack_ratio_max = 300;  // of its own size, once past 64 MiB
  int64_t unpack_entries_max = 10'000'000;
  uint64_t unpack_bytes_max = uint64_t{1} << 40;
  // "t2s", "tw2sp", ...: the OpenCC configuration that text and titles are converted by; see
  // clean/chinese.h. Empty: none.
  std::string opencc;
  // Filters: the limits of a kind of text ("general", "law", "technical", "table", "web", "books",
  // "dialogue"), and single ones by their keys, which hold for every profile. See clean/filters.h.
  std::string profile = "general";
  std::map<std::string, double> limits;
  Path quality_model;  // see clean/quality_model.h; empty: none
  double quality_model_min = 0.0;
  // Compliance
  Path keywords;  // a library in risk classes: see clean/keywords.h; empty: none
  std::vector<SourceLicence> sources;
  bool licence_required = false;  // documents of sources that the register does not know go
  // Headers, footers, navigation: lines at the ends of more than this share of a source's documents
  // go; 1 switches it off. See clean/boilerplate.h.
  double boilerplate_share = 0.2;
  // Duplicates
  double near_jaccard = 0.8;   // of character 5-grams; 1 switches near de-duplication off
  double value_jaccard = 0.8;  // of the numbers: reports that differ in their values both stay
  // Decontamination
  int exam_run = 13;            // shared characters that make a line exam text
  double exam_share_max = 0.5;  // above: the whole document goes
  // Personal data, by kind: id_card, phone, landline, bank_card, uscc, email, ipv4, passport,
  // plate, address, name. A missing kind is masked; uscc (firms) and name (of whom is written) are
  // kept.
  std::map<std::string, PiiAction> pii;
};

// Reads [refine] of a TOML file: the names above, and [refine.pii] kind = "mask" | "keep" | "drop".
Result<RefineRecipe> read_recipe(const Path& path);

struct RefineOptions {
  std::vector<Path> inputs;  // files and folders
  Path out;                  // a new folder, or an earlier corpus that is replaced as a whole
  RefineRecipe recipe;
  std::vector<Path> suites;  // exam JSONL files whose questions must not be in the corpus
  // Of several machines that share the work, this is number `rank` of 0..world-1: `out` becomes a
  // part, which merge_parts() turns into the corpus together with the others.
  int rank = 0;
  int world = 1;
  // Of the inputs, files in an order of chance that depends on their names, until they hold so many
  // bytes; of a container or a long file, its beginning. 0: all.
  uint64_t sample_bytes = 0;
  // Lines before and after every rule in the report, personal data unmasked: see dry_run().
  bool explain = false;
  // For tests: called after each durable step; an error ends the run as a crash there would.
  std::function<Status(std::string_view step)> step;
};

struct RefineReport {
  int64_t files = 0;
  int64_t documents_in = 0;
  int64_t documents_out = 0;
  int64_t rejects = 0;
  uint64_t bytes_in = 0;
  double seconds = 0;
  // What was found, by kind: exact_duplicate, near_duplicate, id_card, id_card_near_miss, ...
  std::map<std::string, int64_t> found;
  std::string json;  // report.json as written
};

// How far the stage named (which says of what) has come; called from the calling thread.
using RefineProgress = std::function<void(std::string_view stage, uint64_t done, uint64_t total)>;

// Runs the whole pipeline. Output appears under `out` only when complete: it is written in
// `out`.work and renamed. After an error, an interruption or a crash that folder stays, and the
// same call goes on with what is there; with other inputs or another recipe it starts again. An
// unreadable file is a reject; an unreadable suite or a full disk is an error.
Result<RefineReport> refine(const RefineOptions& options, const RefineProgress& progress = {});

// What every rule would do to a sample of the inputs: report.json of a run that leaves nothing
// behind, with lines before and after. They show what is masked: not to be kept. options.out and
// rank are not used.
Result<RefineReport> dry_run(RefineOptions options, uint64_t sample_bytes,
                             const RefineProgress& progress = {});

// The corpus that one machine would have made, from the parts of all: byte by byte, report's
// seconds excepted. Each part's pieces are checked against its list; parts of different runs, and
// too few or too many, are an error.
Result<RefineReport> merge_parts(const std::vector<Path>& parts, const Path& out);

// All documents of a refined corpus, in their order.
Result<std::vector<Document>> read_documents(const Path& corpus_dir);

// One document or reject by id, as its JSON line (rejects carry "stage" and "reason").
Result<std::string> trace(const Path& corpus_dir, std::string_view id);

// Where byte `at` of a document's text comes from, as JSON: the line it is in, the headings above,
// file, range and page, the rules that touched the document. With the inputs as refine() was given
// them, also the bytes of the raw file that became this line: exactly for text and Markdown, the
// row, record or file for other formats. An input that has changed is said to have.
Result<std::string> trace_byte(const Path& corpus_dir, std::string_view id, uint64_t at,
                               const std::vector<Path>& inputs);

// A simple random sample of the kept documents for people to judge.
struct ReviewOptions {
  int64_t sample = 1000;
  uint64_t seed = 1;
};

// Writes sheet.csv (with an empty column "verdict"), sheet.html (to read and print) and review.json
// into `out`; the number of documents drawn. The same corpus and seed draw the same ones.
Result<int64_t> write_review(const Path& corpus_dir, const Path& out,
                             const ReviewOptions& options = {});

struct ShareInterval {
  double lo = 0;
  double hi = 1;
};

struct PassRate {
  int64_t reviewed = 0;
  int64_t passed = 0;

  double rate() const;
  ShareInterval interval() const;  // 95 %, by Wilson's score
};

struct ReviewReport {
  PassRate all;
  int64_t open = 0;                           // rows without a verdict
  std::map<std::string, PassRate> by_source;  // by top folder
  std::map<std::string, int64_t> failed_by_class;
  std::string json;
};

// Reads a sheet that people have filled in: pass or fail, 合格 or 不合格.
Result<ReviewReport> read_verdicts(const Path& sheet);

// Trains a quality model from two folders (or files) of any formats that refine() reads, and writes
// it to `out`. Returns what was measured on the examples left out, as JSON.
Result<std::string> train_quality_model(const Path& good, const Path& bad, const Path& out,
                                        uint64_t seed);

// What changed from corpus a to corpus b, by document id.
struct CorpusDiff {
  int64_t same = 0;
  int64_t changed = 0;   // kept in both, with another text
  int64_t appeared = 0;  // kept in b only
  int64_t gone = 0;      // kept in a only
  // Of those gone: the stage that rejects them in b, "not an input" where b has never seen them.
  std::map<std::string, int64_t> gone_by_stage;
  // Of those that appeared: the stage that rejected them in a, "new" where a has never seen them.
  std::map<std::string, int64_t> appeared_by_stage;
  std::vector<std::string> recipe;  // "near_jaccard: 0.8 -> 0.9"
  std::string json;                 // all of the above, and the first documents of each kind
};

// Keeps some 100 bytes of each document of a in memory.
Result<CorpusDiff> diff_corpora(const Path& a, const Path& b);

// Training rows from a refined corpus.
struct BuildOptions {
  uint64_t seed = 1;
  int window_chars = 700;      // characters of a {"text"} row
  int phrasings = 4;           // question wordings per statement or table cell
  int answer_chars_max = 600;  // longer section answers are cut at a sentence
  bool text_rows = true;
  bool question_rows = true;
  bool cloze_rows = false;  // each fact with its value left out
  // A language model: a prompt in, its answer out; an error ends the build. Asked for questions and
  // answers about passages of the corpus. Empty: templates only.
  std::function<Result<std::string>(const std::string& prompt)> writer;
  int64_t written_passages = 200;  // so many, drawn by the seed
  int passage_chars = 300;         // of each: small models have small contexts
};

struct BuildReport {
  int64_t rows = 0;
  int64_t text_rows = 0;
  int64_t message_rows = 0;
  int64_t duplicates = 0;  // dropped
  int64_t leaks = 0;       // dropped: shared a run with a suite
  int64_t unusable = 0;    // answers of the writer without a pair in the form asked for
  int64_t ungrounded = 0;  // pairs of the writer whose answer does not stand in the passage
  std::map<std::string, int64_t> by_generator;
  std::string json;  // all of the above, lengths and a sample
};

// Writes {"text", "source", "generator"} and {"messages", "source", "generator"} rows, shuffled by
// the seed. Rows that share a run of 13 characters with a suite are dropped and counted.
Result<BuildReport> build_dataset(const Path& corpus_dir, const std::vector<Path>& suites,
                                  const Path& out_file, const BuildOptions& options = {});

// A row of a training file in one of the two shapes that are checked, and what it was.
struct ShapedRow {
  std::string shape;  // "text", "messages", "alpaca", "sharegpt", "query"
  Json row;           // {"text"} or {"messages": [...]}
};

// Makes a line one of these; kInvalidArgument says what is wrong with it.
using RowShaper = std::function<Result<ShapedRow>(std::string_view line)>;

// The rows that it knows: {"text"} and {"messages"}.
Result<ShapedRow> plain_row(std::string_view line);

struct Lengths {
  int64_t least = 0;
  int64_t median = 0;
  int64_t p95 = 0;
  int64_t most = 0;
};

struct CheckReport {
  std::map<std::string, int64_t> by_shape;
  Lengths prompt_chars;   // of a conversation, what is not learned
  Lengths learned_chars;  // what the assistant says; of a text, all
  int64_t rows = 0;
  int64_t text_rows = 0;
  int64_t message_rows = 0;
  int64_t bad = 0;
  int64_t duplicates = 0;
  int64_t leaks = 0;
  std::vector<std::string> problems;  // the first hundred: "line 12: messages is empty"
  std::string json;

  bool fine() const { return rows > 0 && bad == 0 && leaks == 0; }
};

// Validates a training file: shape of each line, lengths, duplicates, leaks against the suites.
Result<CheckReport> check_dataset(const Path& file, const std::vector<Path>& suites,
                                  const RowShaper& shaper = plain_row);

// What the refinery reaches on labelled data: speed, and how often it is right.
struct Figure {
  std::string name;
  double value = 0;
  std::string unit;
  double target = 0;  // 0: none
  bool at_most = false;

  bool met() const { return target == 0 || (at_most ? value <= target : value >= target); }
};

struct Figures {
  std::vector<Figure> rows;
  std::vector<std::string> missing;  // files of the data folder that were not there: their rows are
                                     // left out
};

// data: a folder with raw/ and pretrain/ as docs/performance.md lists them. Speeds are of one
// thread where their name says no other number, the median of `repeats` rounds.
Result<Figures> measure_refinery(const Path& data, int repeats);

// How well articles are found in news pages. dir: a set in the layout of
// scrapinghub/article-extraction-benchmark, with ground-truth.json, html/ID.html.gz and, for
// comparison, output/NAME.json of other extractors.
Result<Figures> measure_articles(const Path& dir, int repeats);

}  // namespace plinth::corpus
