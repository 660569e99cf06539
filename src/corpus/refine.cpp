// The pipeline: files in parallel up to their fate among duplicates, then duplicates, then output
// in input order. Documents wait in a spill file beside the output; in memory stay some 64 bytes of
// each, plus 32 band keys.
#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "core/clock.h"
#include "core/hash.h"
#include "core/interrupt.h"
#include "core/json.h"
#include "corpus/dedup/near.h"
#include "corpus/document_json.h"
#include "corpus/intake.h"
#include "corpus/recipe.h"
#include "corpus/report/ledger.h"
#include "corpus/shard.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr std::string_view kRefineVersion = "1";

// A document in the spill file.
struct Entry {
  uint64_t at = 0;
  uint32_t bytes = 0;
  int32_t candidate = -1;  // its place among those that passed the filters, -1 when dropped
  uint32_t chars = 0;
  bool copy_like = false;
  uint64_t text_hash = 0;
};

// "报告 - 副本.docx", "plan(2).pdf", "备份/…", "初稿": of two texts that say the same, the other
// one is the original.
bool looks_like_copy(std::string_view path) {
  for (const std::string_view word :
       {"副本", "备份", "复制", "拷贝", "旧版", "初稿", "草稿", "征求意见稿", "打印版", "节选",
        "backup", "copy", "Copy", "draft", ".bak"})
    if (path.find(word) != path.npos) return true;
  const size_t open = path.rfind('(');
  return open != path.npos && open + 2 < path.size() &&
         is_digit(static_cast<unsigned char>(path[open + 1])) && path[open + 2] == ')';
}

struct Fate {
  int32_t entry_kept = -1;  // -1: stays
  double similarity = 1;
  bool exact = false;
};

class Run {
 public:
  Run(const RefineOptions& options, const RefineProgress& progress)
      : options_(options), progress_(progress) {}

  Result<RefineReport> run() {
    if (options_.out.empty()) return invalid("refine: no output folder was given");
    PLINTH_TRY(check_target());
    PLINTH_TRY(ExamIndex exams, ExamIndex::read(options_.suites, options_.recipe.exam_run));
    ledger_.suite_questions = static_cast<int64_t>(exams.questions());
    PLINTH_TRY(files_, walk_inputs(options_.inputs));
    temp_ = options_.out;
    temp_ += ".tmp";
    PLINTH_TRY(remove_tree(temp_));
    PLINTH_TRY(make_directories(temp_));
    auto report = work(exams);
    if (!report) (void)remove_tree(temp_);
    return report;
  }

 private:
  // Replaces an earlier corpus, never anything else.
  Status check_target() const {
    std::error_code error;
    if (!std::filesystem::exists(options_.out, error)) return {};
    if (std::filesystem::is_directory(options_.out, error) &&
        (std::filesystem::is_empty(options_.out, error) ||
         std::filesystem::exists(options_.out / "manifest.json", error)))
      return {};
    return make_error(Code::kAlreadyExists,
                      "{} exists and is no refined corpus: it will not be replaced",
                      options_.out.string());
  }

  Result<RefineReport> work(const ExamIndex& exams) {
    PLINTH_TRY(read_all(exams));
    PLINTH_TRY(const auto spill, MappedFile::open(temp_ / "spill"));
    PLINTH_TRY(const auto fates, find_duplicates(spill.text()));
    PLINTH_TRY(write_shards(spill.text(), fates));
    PLINTH_TRY(remove_tree(temp_ / "spill"));
    PLINTH_TRY(auto report, write_reports());
    PLINTH_TRY(publish());
    return report;
  }

  Status read_all(const ExamIndex& exams) {
    PLINTH_TRY(auto spill, OutputFile::create(temp_ / "spill"));
    PLINTH_TRY(take_in(files_, options_.recipe, exams, progress_,
                       [&](const InputFile& file, FileOutcome& outcome) {
                         return take_file(file, outcome, spill);
                       }));
    // A map of an empty file is no map.
    PLINTH_TRY(spill.write("\n"));
    return spill.close();
  }

  Status take_file(const InputFile& file, FileOutcome& outcome, OutputFile& spill) {
    ledger_.add_file(outcome);
    if (!outcome.leaf)
      inputs_.push_back({{"path", file.name},
                         {"sha256", outcome.sha256},
                         {"bytes", outcome.bytes},
                         {"kind", std::string(kind_name(outcome.kind))}});
    for (Outcome& one : outcome.outcomes) {
      Entry entry;
      Json json = to_json(one.document);
      if (one.drop) {
        json["stage"] = one.drop->stage;
        json["reason"] = one.drop->reason;
      } else {
        entry.candidate = static_cast<int32_t>(keys_.size());
        keys_.push_back(one.keys);
        candidates_.push_back(static_cast<int32_t>(entries_.size()));
      }
      const std::string line = to_text(json);
      entry.at = spill_bytes_;
      entry.bytes = static_cast<uint32_t>(line.size());
      entry.chars = static_cast<uint32_t>(count_chars(one.document.text));
      entry.copy_like = looks_like_copy(one.document.source.path);
      entry.text_hash = one.text_hash;
      if (line.size() > UINT32_MAX)
        return exhausted("{}: a document of {} bytes is too large", file.name, line.size());
      spill_bytes_ += line.size();
      entries_.push_back(entry);
      PLINTH_TRY(spill.write(line));
    }
    return {};
  }

  static std::string_view line_of(std::string_view spill, const Entry& entry) {
    return spill.substr(entry.at, entry.bytes);
  }

  static Document document_of(std::string_view spill, const Entry& entry) {
    const auto json = parse_json(line_of(spill, entry), "spill");
    if (!json) return {};
    auto document = document_from_json(*json);
    return document ? *std::move(document) : Document{};
  }

  // Who would stay, best first: no copy, then the longer, then the first by path.
  std::vector<int32_t> preference_of(const std::vector<int32_t>& entries) const {
    std::vector<int32_t> order(entries.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
      const Entry& left = entries_[static_cast<size_t>(entries[static_cast<size_t>(a)])];
      const Entry& right = entries_[static_cast<size_t>(entries[static_cast<size_t>(b)])];
      if (left.copy_like != right.copy_like) return right.copy_like;
      return left.chars > right.chars;
    });
    return order;
  }

  Result<std::vector<Fate>> find_duplicates(std::string_view spill) {
    std::vector<Fate> fates(entries_.size());
    std::unordered_map<uint64_t, int32_t> first;  // text hash -> entry that stays
    for (const int32_t i : preference_of(candidates_)) {
      const int32_t entry = candidates_[static_cast<size_t>(i)];
      const auto [it, fresh] = first.emplace(entries_[static_cast<size_t>(entry)].text_hash, entry);
      if (!fresh) fates[static_cast<size_t>(entry)] = Fate{it->second, 1.0, true};
    }
    if (options_.recipe.near_jaccard >= 1.0) return fates;
    std::vector<int32_t> distinct;
    for (const int32_t entry : candidates_)
      if (fates[static_cast<size_t>(entry)].entry_kept < 0) distinct.push_back(entry);
    std::vector<BandKeys> keys;
    for (const int32_t entry : distinct)
      keys.push_back(keys_[static_cast<size_t>(entries_[static_cast<size_t>(entry)].candidate)]);
    PLINTH_TRY(check_interrupted());
    const auto text = [&](int32_t i) {
      return document_of(spill, entries_[static_cast<size_t>(distinct[static_cast<size_t>(i)])])
          .text;
    };
    const auto matches =
        near_duplicates(keys, preference_of(distinct), text,
                        {options_.recipe.near_jaccard, options_.recipe.value_jaccard});
    for (size_t i = 0; i < matches.size(); ++i)
      if (matches[i].kept >= 0)
        fates[static_cast<size_t>(distinct[i])] =
            Fate{distinct[static_cast<size_t>(matches[i].kept)], matches[i].similarity, false};
    return fates;
  }

  Status write_shards(std::string_view spill, const std::vector<Fate>& fates) {
    PLINTH_TRY(auto documents, ShardWriter::create(temp_, "documents"));
    PLINTH_TRY(auto rejects, ShardWriter::create(temp_, "rejects"));
    std::map<int32_t, Cluster> exact, near;
    for (size_t i = 0; i < entries_.size(); ++i) {
      const Entry& entry = entries_[i];
      const Fate& fate = fates[i];
      const std::string_view line = line_of(spill, entry);
      PLINTH_TRY(Json json, parse_json(line, "spill"));
      PLINTH_TRY(const Document document, document_from_json(json));
      if (entry.candidate >= 0 && fate.entry_kept < 0) {
        ledger_.add_kept(document, entry.chars);
        PLINTH_TRY(documents.write_line(line));
        continue;
      }
      if (fate.entry_kept >= 0) {
        const Document kept = document_of(spill, entries_[static_cast<size_t>(fate.entry_kept)]);
        Cluster& cluster = (fate.exact ? exact : near)[fate.entry_kept];
        cluster.kept = {kept.id, kept.source.path, 1.0};
        cluster.dropped.push_back({document.id, document.source.path, fate.similarity});
        json["stage"] = fate.exact ? "exact_duplicate" : "near_duplicate";
        json["reason"] = fate.exact ? fmt::format("same text as {} ({})", kept.source.path, kept.id)
                                    : fmt::format("Jaccard {:.4f} with {} ({})", fate.similarity,
                                                  kept.source.path, kept.id);
      }
      ledger_.add_reject(document,
                         {json["stage"].get<std::string>(), json["reason"].get<std::string>()});
      PLINTH_TRY(rejects.write_line(to_text(json)));
    }
    for (auto& [unused, cluster] : exact) ledger_.exact.push_back(std::move(cluster));
    for (auto& [unused, cluster] : near) ledger_.near.push_back(std::move(cluster));
    PLINTH_TRY(outputs_, documents.close());
    PLINTH_TRY(const auto reject_names, rejects.close());
    outputs_.insert(outputs_.end(), reject_names.begin(), reject_names.end());
    return {};
  }

  Result<RefineReport> write_reports() {
    RefineReport report;
    report.files = ledger_.files;
    report.documents_in = ledger_.documents_in;
    report.documents_out = ledger_.documents_out;
    report.rejects = ledger_.documents_in - ledger_.documents_out;
    report.bytes_in = ledger_.bytes_in;
    report.seconds = watch_.seconds();
    report.found = found_by_kind(ledger_);
    report.json = report_json(ledger_, report.seconds);
    const std::string page = report_html(ledger_);
    PLINTH_TRY(write_file_atomic(temp_ / "report.html", page));
    PLINTH_TRY(write_file_atomic(temp_ / "report.json", report.json));
    // Seconds differ from run to run; the manifest's hash of the report is taken without them.
    Json output = Json::array();
    for (const std::string& name : outputs_) {
      PLINTH_TRY(const std::string hash, sha256_file(temp_ / name));
      output.push_back({{"path", name}, {"sha256", hash}});
    }
    output.push_back({{"path", "report.html"}, {"sha256", sha256_hex(page)}});
    output.push_back(
        {{"path", "report.json"}, {"sha256_without_seconds", sha256_hex(report_json(ledger_, 0))}});
    Json suites = Json::array();
    for (const Path& suite : options_.suites) {
      PLINTH_TRY(const std::string hash, sha256_file(suite));
      suites.push_back({{"name", suite.filename().string()}, {"sha256", hash}});
    }
    const Json manifest = {{"format", "plinth-corpus"},   {"version", 1},
                           {"refine", kRefineVersion},    {"recipe", to_json(options_.recipe)},
                           {"inputs", inputs_},           {"suites", std::move(suites)},
                           {"outputs", std::move(output)}};
    PLINTH_TRY(
        write_file_atomic(temp_ / "manifest.json",
                          manifest.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"));
    return report;
  }

  // The old corpus steps aside, the new one takes its name, the old one goes.
  Status publish() const {
    std::error_code error;
    Path old = options_.out;
    old += ".old";
    PLINTH_TRY(remove_tree(old));
    if (std::filesystem::exists(options_.out, error)) {
      std::filesystem::rename(options_.out, old, error);
      if (error)
        return make_error(Code::kUnavailable, "{}: cannot be moved aside: {}",
                          options_.out.string(), error.message());
    }
    std::filesystem::rename(temp_, options_.out, error);
    if (error)
      return make_error(Code::kUnavailable, "{}: cannot be renamed to {}: {}", temp_.string(),
                        options_.out.string(), error.message());
    PLINTH_TRY(sync_directory(std::filesystem::absolute(options_.out).parent_path()));
    return remove_tree(old);
  }

  const RefineOptions& options_;
  const RefineProgress& progress_;
  Stopwatch watch_;
  Path temp_;
  std::vector<InputFile> files_;
  std::vector<Entry> entries_;
  std::vector<int32_t> candidates_;  // entries that passed the filters
  std::vector<BandKeys> keys_;       // of the candidates
  uint64_t spill_bytes_ = 0;
  Ledger ledger_;
  Json inputs_ = Json::array();
  std::vector<std::string> outputs_;
};

}  // namespace

Result<RefineReport> refine(const RefineOptions& options, const RefineProgress& progress) {
  return Run(options, progress).run();
}

Result<std::vector<Document>> read_documents(const Path& corpus_dir) {
  std::vector<Document> out;
  PLINTH_TRY(read_shards(corpus_dir, "documents", [&](std::string_view line) -> Status {
    PLINTH_TRY(const Json json, parse_json(line, corpus_dir.string()));
    PLINTH_TRY(auto document, document_from_json(json));
    out.push_back(std::move(document));
    return {};
  }));
  return out;
}

Result<std::string> trace(const Path& corpus_dir, std::string_view id) {
  std::string found;
  const auto look = [&](std::string_view line) -> Status {
    if (!found.empty() || line.find(id) == line.npos) return {};
    PLINTH_TRY(const Json json, parse_json(line, corpus_dir.string()));
    if (string_or(json, "id", "") == id) found = std::string(line);
    return {};
  };
  for (const char* name : {"documents", "rejects"}) PLINTH_TRY(read_shards(corpus_dir, name, look));
  if (found.empty())
    return not_found("corpus {}: no document or reject {}", corpus_dir.string(), id);
  return found;
}

}  // namespace plinth::corpus
