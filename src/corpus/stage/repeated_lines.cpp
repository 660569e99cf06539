#include "corpus/stage/repeated_lines.h"

#include <algorithm>
#include <optional>

#include "core/interrupt.h"
#include "core/threads.h"
#include "corpus/clean/boilerplate.h"
#include "corpus/dedup/minhash.h"
#include "corpus/document_json.h"
#include "corpus/read/readers.h"
#include "corpus/stage/line_counts.h"
#include "corpus/stage/piece.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

// With fewer documents than that nothing is said to recur.
constexpr uint32_t kDocumentsMin = 10;
constexpr size_t kSampleChars = 160;

// Page marks keep to the text they stood before.
void move_pages(std::vector<PageMark>& pages, const BoilerplateCut& cut) {
  for (PageMark& mark : pages) {
    uint64_t gone = 0;
    for (const auto& [begin, end] : cut.ranges)
      gone += std::min(mark.at, end) - std::min(mark.at, begin);
    mark.at = std::min<uint64_t>(mark.at - gone, cut.text.size());
  }
}

class Cutter {
 public:
  Cutter(const LineCounts& counts, const RepeatedLineOptions& options)
      : counts_(counts), options_(options) {}

  // The piece without its boilerplate; nothing when it has none.
  Result<std::optional<std::string>> run(const Path& path) const {
    PLINTH_TRY(const Piece piece, Piece::open(path));
    if (!any_recurs(piece)) return std::optional<std::string>();
    EncodedFile out;
    size_t n = 0;
    bool changed = false;
    PLINTH_TRY(piece.each_frame([&](uint64_t at, std::string_view frame) -> Status {
      if (n >= piece.entries().size() || piece.entries()[n].at != at) {
        append_frame(frame, out.records);
        return {};
      }
      PieceEntry entry = piece.entries()[n++];
      std::optional<BandKeys> keys;
      if (entry.keys >= 0) keys = piece.keys()[static_cast<size_t>(entry.keys)];
      entry.at = out.records.size() + sizeof(uint32_t);
      bool cut = false;
      if (keys) {
        PLINTH_TRY(cut, cut_document(frame, path, out.records, entry, keys));
      }
      if (!cut) append_frame(frame, out.records);
      changed = changed || cut;
      entry.bytes = static_cast<uint32_t>(out.records.size() - entry.at);
      entry.lines = 0;  // they have been counted
      entry.keys = keys ? static_cast<int32_t>(out.keys.size()) : -1;
      if (keys) out.keys.push_back(*keys);
      out.entries.push_back(entry);
      return {};
    }));
    if (!changed) return std::optional<std::string>();
    PieceBuilder builder;
    builder.add(out);
    return std::optional(builder.finish(piece.last()));
  }

 private:
  static void append_frame(std::string_view frame, std::string& records) {
    const auto length = static_cast<uint32_t>(frame.size());
    records.append(reinterpret_cast<const char*>(&length), sizeof length);
    records += frame;
  }

  // A first look at the keys alone: most pieces need not be read. A document's first key is its
  // source's.
  bool any_recurs(const Piece& piece) const {
    auto rest = piece.lines();
    for (const PieceEntry& entry : piece.entries()) {
      const auto keys = rest.first(entry.lines);
      rest = rest.subspan(entry.lines);
      const double of = keys.empty() ? 0 : counts_.count(keys.front());
      if (of == 0) continue;
      for (const uint64_t key : keys.subspan(1))
        if (counts_.count(key) > options_.share * of) return true;
    }
    return false;
  }

  // Appends the document as it is after the cut; false, and nothing appended, when it loses
  // nothing.
  Result<bool> cut_document(std::string_view frame, const Path& path, std::string& records,
                            PieceEntry& entry, std::optional<BandKeys>& keys) const {
    PLINTH_TRY(const std::string record, record_of(frame, path));
    PLINTH_TRY(const Json json, parse_json(document_line(record), "a document of this run"));
    PLINTH_TRY(Document document, document_from_json(json));
    const std::string source = source_name(document.source);
    const BoilerplateCut cut = cut_boilerplate(document.text, source, options_.share,
                                               [&](uint64_t key) { return counts_.count(key); });
    if (cut.lines.empty()) return false;
    PLINTH_TRY(const Json facts_json,
               parse_json(document_facts_text(record), "a document's facts"));
    DocumentFacts facts = document_facts(facts_json);
    document.rules.push_back(fmt::format("boilerplate-lines:{}", cut.lines.size()));
    const RepeatedLine& line = cut.lines.front();
    facts.effects.push_back({"boilerplate-lines",
                             cut.chars,
                             fmt::format("{} ({}: {} / {})", prefix_chars(line.text, kSampleChars),
                                         source, line.documents, cut.of),
                             {}});
    const auto left = static_cast<int64_t>(count_chars(trim(cut.text)));
    if (left < entry.chars_min) {
      // The reject keeps its text: what went can be seen in it.
      facts.stage = "boilerplate";
      facts.reason = fmt::format("{} characters are left without {} lines that recur in {}", left,
                                 cut.lines.size(), source);
      keys.reset();
    } else {
      if (document.title == title_of(document.text, document.source.path))
        document.title = title_of(cut.text, document.source.path);
      move_pages(document.source.pages, cut);
      document.text = cut.text;
      facts.chars_out = static_cast<int64_t>(count_chars(document.text));
      entry.chars = static_cast<uint32_t>(std::min<int64_t>(facts.chars_out, UINT32_MAX));
      entry.text_hash = text_hash(document.text);
      keys = band_keys(document.text);
    }
    PLINTH_TRY(append_record(document_record(document, facts), records));
    return true;
  }

  const LineCounts& counts_;
  const RepeatedLineOptions& options_;
};

Status count_lines(std::span<const Path> pieces, const Documents& documents, const Path& folder,
                   uint64_t memory_bytes) {
  uint64_t keys = 0;
  for (const Path& path : pieces) {
    PLINTH_TRY(const Piece piece, Piece::open(path));
    keys += piece.lines().size();
  }
  PLINTH_TRY(auto counter, LineCounter::create(folder, keys, memory_bytes));
  size_t n = 0;
  for (const Path& path : pieces) {
    PLINTH_TRY(check_interrupted());
    PLINTH_TRY(const Piece piece, Piece::open(path));
    auto rest = piece.lines();
    for (const PieceEntry& entry : piece.entries()) {
      if (entry.keys >= 0 && documents.stands_alone(n))
        for (const uint64_t key : rest.first(entry.lines)) PLINTH_TRY(counter.add(key));
      rest = rest.subspan(entry.lines);
      ++n;
    }
  }
  return counter.finish(kDocumentsMin);
}

}  // namespace

Result<std::vector<Path>> cut_repeated_lines(std::span<const Path> pieces,
                                             const Documents& documents, const Path& folder,
                                             const RepeatedLineOptions& options,
                                             const RefineProgress& progress) {
  std::vector<Path> out(pieces.begin(), pieces.end());
  if (options.share >= 1) return out;
  PLINTH_TRY(make_directories(folder));
  PLINTH_TRY(count_lines(pieces, documents, folder, options.memory_bytes / 4));
  PLINTH_TRY(const auto counts, LineCounts::open(folder));
  if (counts.empty()) return out;
  const Cutter cutter(counts, options);
  for (size_t begin = 0; begin < pieces.size();) {
    PLINTH_TRY(check_interrupted());
    // So many together as fit: a piece is in memory once as it was and once as it will be.
    size_t end = begin;
    uint64_t bytes = 0;
    for (std::error_code error; end < pieces.size(); ++end) {
      bytes += std::filesystem::file_size(pieces[end], error);
      if (end > begin && bytes > options.memory_bytes / 8) break;
    }
    std::vector<Status> status(end - begin);
    compute_pool().parallel_for(
        static_cast<int64_t>(end - begin), 1, [&](int64_t first, int64_t last, int) {
          for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) {
            const Path& from = pieces[begin + i];
            const Path to = folder / from.filename();
            if (Piece::open(to)) {  // by an earlier start
              out[begin + i] = to;
              continue;
            }
            const auto cut = cutter.run(from);
            if (!cut) {
              status[i] = cut.error();
            } else if (*cut) {
              status[i] = write_file_atomic(to, **cut);
              out[begin + i] = to;
            }
          }
        });
    for (const Status& one : status) PLINTH_TRY(one);
    begin = end;
    if (progress) progress("repeated lines, pieces", end, pieces.size());
  }
  return out;
}

}  // namespace plinth::corpus
