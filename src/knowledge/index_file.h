// The bytes of an index: a checked header and variable-length integers. Private to knowledge.
//
//   magic "PLKNOWLG" | version u64 LE | payload bytes u64 LE | XXH3-64 of payload u64 LE
//   payload: documents, chunks, terms; each a count and then that many entries
//     document   id, title, source path, source sha-256, page
//     chunk      document index, section, begin, end, terms in it, text
//     term       text (strictly ascending), chunks that have it, bytes of the list, the list:
//                per chunk its distance from the chunk before (the first: from -1), times in it
//   Numbers are LEB128, texts a length and bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace plinth::knowledge {

inline constexpr size_t kHeaderBytes = 32;

void put_number(std::string& out, uint64_t value);
void put_text(std::string& out, std::string_view text);

// The file: header and payload.
std::string seal(std::string payload);
// The payload, after the header and the checksum were checked.
Result<std::string_view> unseal(std::string_view file);

// Reads the payload front to back; after the first error every read gives zero or empty and ok() is
// false, so that a caller may check once per entry.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}

  uint64_t number(uint64_t max);
  std::string_view text();
  std::string_view take(uint64_t bytes);

  // A count of entries that are at least `entry_bytes` long each: more than could follow is an
  // error, so that nobody reserves memory for a lie.
  uint64_t count(uint64_t entry_bytes);

  bool ok() const { return ok_; }

  bool done() const { return ok_ && left_.empty(); }

 private:
  std::string_view left_;
  bool ok_ = true;
};

}  // namespace plinth::knowledge
