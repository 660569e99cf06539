#include "corpus/stage/write_stage.h"

#include <map>
#include <set>

#include "core/clock.h"
#include "core/hash.h"
#include "core/interrupt.h"
#include "corpus/shard.h"

namespace plinth::corpus {
namespace {

constexpr size_t kClustersMax = 1000;  // of each kind, those whose kept documents come first
constexpr size_t kMembersMax = 100;

class Writer {
 public:
  Writer(const Json& plan, std::span<const Path> pieces, const Documents& documents,
         const Path& folder)
      : plan_(plan), pieces_(pieces), documents_(documents), folder_(folder) {
    ledger_.suite_questions = int_or(plan, "suite_questions", 0);
  }

  Result<RefineReport> run(double seconds, const RefineProgress& progress) {
    choose_clusters();
    PLINTH_TRY(write_shards(progress));
    for (auto& [unused, cluster] : exact_) ledger_.exact.push_back(std::move(cluster));
    for (auto& [unused, cluster] : near_) ledger_.near.push_back(std::move(cluster));
    RefineReport report;
    report.files = ledger_.files;
    report.documents_in = ledger_.documents_in;
    report.documents_out = ledger_.documents_out;
    report.rejects = ledger_.documents_in - ledger_.documents_out;
    report.bytes_in = ledger_.bytes_in;
    report.seconds = seconds + watch_.seconds();
    report.found = found_by_kind(ledger_);
    report.json = report_json(ledger_, report.seconds);
    const std::string page = report_html(ledger_);
    PLINTH_TRY(write_file_atomic(folder_ / "report.html", page));
    PLINTH_TRY(write_file_atomic(folder_ / "report.json", report.json));
    PLINTH_TRY(write_manifest(page));
    return report;
  }

 private:
  // Memory for so many clusters only: the smallest numbers of kept documents.
  void choose_clusters() {
    for (size_t i = 0; i < documents_.size(); ++i) {
      const Match* match = documents_.match(i);
      if (match == nullptr) continue;
      std::set<size_t>& chosen = match->how == Match::How::kExact ? exact_kept_ : near_kept_;
      chosen.insert(documents_.kept_by(*match));
      if (chosen.size() > kClustersMax) chosen.erase(std::prev(chosen.end()));
    }
  }

  Status write_shards(const RefineProgress& progress) {
    PLINTH_TRY(auto kept, ShardWriter::create(folder_, "documents"));
    PLINTH_TRY(auto rejects, ShardWriter::create(folder_, "rejects"));
    PLINTH_TRY(auto inputs, OutputFile::create(inputs_path()));
    size_t n = 0, done = 0;
    for (const Path& path : pieces_) {
      PLINTH_TRY(check_interrupted());
      if (progress) progress("writing, pieces", ++done, pieces_.size());
      PLINTH_TRY(const Piece piece, Piece::open(path));
      PLINTH_TRY(piece.each_record([&](std::string_view record) -> Status {
        if (!record.starts_with('F')) return add_document(n++, record, kept, rejects);
        PLINTH_TRY(const Json json, parse_json(record.substr(1), path.string()));
        const FileFacts file = file_facts(json);
        ledger_.add_file(file);
        if (file.leaf) return {};
        const bool first = ledger_.files == 1;
        return inputs.write(fmt::format("{}  {}", first ? "" : ",\n", to_text(json)));
      }));
    }
    PLINTH_TRY(inputs.close());
    PLINTH_TRY(outputs_, kept.close());
    PLINTH_TRY(const auto names, rejects.close());
    outputs_.insert(outputs_.end(), names.begin(), names.end());
    return {};
  }

  Status add_document(size_t n, std::string_view record, ShardWriter& kept, ShardWriter& rejects) {
    if (n >= documents_.size())
      return data_loss("a piece holds more documents than its index says");
    const std::string_view line = document_line(record);
    PLINTH_TRY(const Json json, parse_json(document_facts_text(record), "a document's facts"));
    DocumentFacts facts = document_facts(json);
    ledger_.add_read(facts);
    const Match* match = documents_.match(n);
    if (match == nullptr && facts.stage.empty()) {
      ledger_.add_kept(facts);
      return kept.write_line(line);
    }
    if (match != nullptr) PLINTH_TRY(explain(*match, facts));
    ledger_.add_reject(facts, [&] {
      const auto document = parse_json(line, "a document");
      return document ? string_or(*document, "text", "") : std::string();
    });
    const std::string why =
        to_text(Json{{"reason", facts.reason}, {"stage", facts.stage}}).substr(1);
    return rejects.write_line(fmt::format("{},{}", line.substr(0, line.size() - 1), why));
  }

  Status explain(const Match& match, DocumentFacts& facts) {
    const size_t kept_number = documents_.kept_by(match);
    PLINTH_TRY(const std::string record, documents_.record(kept_number));
    PLINTH_TRY(const Json json, parse_json(document_facts_text(record), "a document's facts"));
    const DocumentFacts kept = document_facts(json);
    const bool exact = match.how == Match::How::kExact;
    facts.stage = exact ? "exact_duplicate" : "near_duplicate";
    facts.reason =
        exact ? fmt::format("same text as {} ({})", kept.path, kept.id)
              : fmt::format("Jaccard {:.4f} with {} ({})", match.similarity, kept.path, kept.id);
    if (!(exact ? exact_kept_ : near_kept_).contains(kept_number)) return {};
    Cluster& cluster = (exact ? exact_ : near_)[kept_number];
    cluster.kept = {kept.id, kept.path, 1.0};
    ++cluster.dropped_total;
    if (cluster.dropped.size() < kMembersMax)
      cluster.dropped.push_back({facts.id, facts.path, match.similarity});
    return {};
  }

  Path inputs_path() const { return folder_ / "inputs.tmp"; }

  // One input a line, written as they come: there may be millions of them.
  Status write_manifest(const std::string& page) {
    Json output = Json::array();
    for (const std::string& name : outputs_) {
      PLINTH_TRY(const std::string hash, sha256_file(folder_ / name));
      output.push_back({{"path", name}, {"sha256", hash}});
    }
    output.push_back({{"path", "report.html"}, {"sha256", sha256_hex(page)}});
    // Seconds differ from run to run; the manifest's hash of the report is taken without them.
    output.push_back(
        {{"path", "report.json"}, {"sha256_without_seconds", sha256_hex(report_json(ledger_, 0))}});
    const auto text = [](const Json& json) {
      return json.dump(-1, ' ', false, Json::error_handler_t::replace);
    };
    PLINTH_TRY(auto file, OutputFile::create(folder_ / "manifest.json"));
    PLINTH_TRY(file.write(fmt::format(
        "{{\n \"format\": \"plinth-corpus\",\n \"version\": 1,\n \"refine\": {},\n "
        "\"recipe\": {},\n \"rules\": {},\n \"suites\": {},\n \"outputs\": {},\n \"inputs\": [\n",
        text(plan_["refine"]), text(plan_["recipe"]), text(plan_["rules"]), text(plan_["suites"]),
        text(output))));
    {
      PLINTH_TRY(const auto inputs, MappedFile::open(inputs_path()));
      for (std::string_view rest = inputs.text(); !rest.empty();) {
        constexpr size_t kBlock = size_t{1} << 16;
        PLINTH_TRY(file.write(rest.substr(0, kBlock)));
        rest.remove_prefix(std::min(kBlock, rest.size()));
      }
    }
    PLINTH_TRY(file.write("\n ]\n}\n"));
    PLINTH_TRY(file.sync());
    PLINTH_TRY(file.close());
    return remove_tree(inputs_path());
  }

  const Json& plan_;
  std::span<const Path> pieces_;
  const Documents& documents_;
  Path folder_;
  Stopwatch watch_;
  Ledger ledger_;
  std::set<size_t> exact_kept_, near_kept_;
  std::map<size_t, Cluster> exact_, near_;
  std::vector<std::string> outputs_;
};

}  // namespace

Result<RefineReport> write_corpus(const Json& plan, std::span<const Path> pieces,
                                  const Documents& documents, const Path& folder, double seconds,
                                  const RefineProgress& progress) {
  return Writer(plan, pieces, documents, folder).run(seconds, progress);
}

}  // namespace plinth::corpus
