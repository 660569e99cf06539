// A piece: what came of some input files, in their order. Pieces are the durable unit of a run:
// each appears whole, by a rename, or not at all; a run that goes on makes only those that are
// missing, and machines that share a run make some each.
//
//   "plinthP3"                      8 bytes
//   records                         u32 length, one Zstandard frame with a checksum; short records
//                                   lie there as they are
//   PieceEntry x entries            one per document
//   BandKeys x keys                 one per document that may stay
//   u64 x lines                     of each document that may stay, see edge_line_keys()
//   footer                          u64 where the entries begin, u32 entries, u32 keys, u32 lines,
//                                   u32 last, u64 XXH3 of all before
//
// A record is "F" and a file's facts, or "D", a document's JSON line, '\n' and its facts. Numbers
// are little endian.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"
#include "core/result.h"
#include "corpus/dedup/minhash.h"
#include "corpus/process.h"
#include "corpus/stage/facts.h"

namespace plinth::corpus {

struct PieceEntry {
  uint64_t at = 0;  // of its frame in the piece
  uint64_t text_hash = 0;
  uint32_t bytes = 0;  // of its frame
  uint32_t chars = 0;
  int32_t keys = -1;  // its place among the keys; -1: dropped
  uint32_t copy_like = 0;
  uint32_t lines = 0;      // keys of lines, behind those of the documents before
  uint32_t chars_min = 0;  // by its own profile: what must be left when lines are cut out
};

// One file's outcomes, ready for a piece. Made in parallel.
struct EncodedFile {
  std::string head;                 // the file's own record
  std::string records;              // its documents'
  std::vector<PieceEntry> entries;  // `at` counts from the beginning of the records
  std::vector<BandKeys> keys;
  std::vector<uint64_t> lines;
};

// Appends one record: its length and its frame.
Status append_record(std::string_view text, std::string& records);

// Outcomes become records as they come.
class FileEncoder {
 public:
  void add(const FileOutcome& file, const Outcome& outcome);
  // The encoder is empty afterwards.
  Result<EncodedFile> finish(const std::string& path, const FileOutcome& file);

 private:
  EncodedFile out_;
  Status status_;  // the first error
};

// A file that has all its outcomes.
Result<EncodedFile> encode(const std::string& path, const FileOutcome& file);

class PieceBuilder {
 public:
  void add(const EncodedFile& file);
  // The whole piece. `last`: of its unit of work. The builder is empty afterwards.
  std::string finish(bool last);

  size_t bytes() const { return records_.size(); }

 private:
  std::string records_;
  std::vector<PieceEntry> entries_;
  std::vector<BandKeys> keys_;
  std::vector<uint64_t> lines_;
};

// A piece, mapped. open() checks its sum.
class Piece {
 public:
  static Result<Piece> open(const Path& path);

  std::span<const PieceEntry> entries() const { return entries_; }

  std::span<const BandKeys> keys() const { return keys_; }

  std::span<const uint64_t> lines() const { return lines_; }

  bool last() const { return last_; }

  // Calls body(record) for each record in order; see above for what it holds.
  Status each_record(const std::function<Status(std::string_view record)>& body) const;

  // The same with the records as they lie there. `at`: of the frame, as in entries.
  Status each_frame(const std::function<Status(uint64_t at, std::string_view frame)>& body) const;

 private:
  Piece(MappedFile map, Path path) : map_(std::move(map)), path_(std::move(path)) {}

  MappedFile map_;
  Path path_;
  uint64_t records_end_ = 0;
  std::span<const PieceEntry> entries_;
  std::span<const BandKeys> keys_;
  std::span<const uint64_t> lines_;
  bool last_ = false;
};

// What a frame holds; path: for the message.
Result<std::string> record_of(std::string_view frame, const Path& path);

// A "D" record, and the JSON line and the facts in one.
std::string document_record(const Document& document, const DocumentFacts& facts);
std::string_view document_line(std::string_view record);
std::string_view document_facts_text(std::string_view record);

// One record by itself: a piece need not be open for it. `bytes` and `at` from its entry.
Result<std::string> read_record(const Path& piece, uint64_t at, uint32_t bytes);

}  // namespace plinth::corpus
