// WARC (ISO 28500, versions 0.17 to 1.1) and ARC 1.0 files: the pages of a crawl, plain or
// compressed record by record.
//
// Of WARC records, responses, resources and conversions are pages; requests, metadata, revisits and
// the like are not, and are left out. A record that is damaged is one bad record: reading goes on
// at the next one that can be found.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace plinth::corpus {

struct WebRecord {
  std::string url;
  std::string type;     // media type; empty when nobody said
  std::string charset;  // of the media type, a hint
  std::string bytes;    // the page
  // Where the record lies: bytes of the file, or, where one compressed stream holds several
  // records, of what it unpacks to.
  uint64_t begin = 0;
  uint64_t end = 0;
  bool in_stream = false;  // begin and end count unpacked bytes
  std::string error;       // why it could not be read; then bytes are empty
};

using RecordSink = std::function<Status(WebRecord&& record)>;

// Is this, once unpacked, the beginning of a WARC or ARC file?
bool begins_web_archive(std::string_view unpacked);

// Calls sink for each page and each bad record in order; stops with what sink returns. `bytes` may
// be gzip-compressed. A record of more than `record_bytes_max` bytes is a bad one.
Status read_web_archive(std::string_view bytes, size_t record_bytes_max, const RecordSink& sink);

}  // namespace plinth::corpus
