#include "corpus/unpack/web_archive.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "corpus/unpack/http_body.h"
#include "corpus/unpack/inflate.h"
#include "corpus/unpack/web_headers.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

std::optional<uint64_t> number(std::string_view text) {
  text = trim(text);
  if (text.empty() || text.size() > 18) return {};
  uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return {};
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  return value;
}

// A record as it lies in unpacked bytes.
struct Frame {
  size_t end = 0;     // of the record, line ends behind it included
  bool page = false;  // something to read; else `error`, or nothing of interest
  bool http = false;  // content begins with HTTP headers
  std::string_view content;
  std::string url;
  std::string_view type;
  std::string error;
};

size_t skip_line_ends(std::string_view bytes, size_t at) {
  while (at < bytes.size() && (bytes[at] == '\r' || bytes[at] == '\n')) ++at;
  return at;
}

// Where the next record begins after a damaged one; the end when there is none.
size_t next_warc(std::string_view bytes, size_t at) {
  const size_t found = bytes.find("\nWARC/", at);
  return found == bytes.npos ? bytes.size() : found + 1;
}

Frame warc_frame(std::string_view bytes, size_t at) {
  Frame out;
  std::string_view rest = bytes.substr(at);
  WebHeaders headers = read_headers(rest);
  const auto length = number(headers.value("content-length"));
  const std::string_view uri = headers.value("warc-target-uri");
  out.url =
      std::string(uri.starts_with('<') && uri.ends_with('>') ? uri.substr(1, uri.size() - 2) : uri);
  const std::string_view kind = headers.value("warc-type");
  if (!headers.complete || !length || kind.empty()) {
    out.end = next_warc(bytes, at + 1);
    out.error = !headers.complete ? "the record's header has no end"
                : !length         ? "the record's header has no Content-Length"
                                  : "the record's header has no WARC-Type";
    return out;
  }
  const size_t begin = at + headers.end;
  const bool wanted = kind == "response" || kind == "resource" || kind == "conversion";
  if (*length > bytes.size() - begin) {
    out.end = bytes.size();
    if (wanted)
      out.error =
          fmt::format("the record ends after {} of {} bytes", bytes.size() - begin, *length);
    // A wrong length, not a cut file, when more records follow.
    const size_t next = next_warc(bytes, begin);
    if (next < bytes.size()) out.end = next;
    return out;
  }
  out.end = skip_line_ends(bytes, begin + *length);
  if (out.end < bytes.size() && !bytes.substr(out.end).starts_with("WARC/"))
    out.end = next_warc(bytes, begin);
  out.page = wanted;
  out.content = bytes.substr(begin, *length);
  out.type = headers.value("content-type");
  out.http = kind == "response" && out.content.starts_with("HTTP/");
  return out;
}

// ARC 1.0: "URL address date type length", then as many bytes. A URL may hold blanks, so fields are
// counted from the right.
Frame arc_frame(std::string_view bytes, size_t at) {
  Frame out;
  const std::string_view rest = bytes.substr(at);
  const size_t line_end = rest.substr(0, size_t{64} << 10).find('\n');
  std::string_view line = trim(rest.substr(0, line_end));
  std::vector<std::string_view> fields;  // from the right
  while (fields.size() < 4) {
    const size_t blank = line.rfind(' ');
    if (blank == line.npos) break;
    fields.push_back(line.substr(blank + 1));
    line = line.substr(0, blank);
  }
  out.url = std::string(line);
  const auto length = fields.size() == 4 ? number(fields[0]) : std::nullopt;
  if (!length || line_end == rest.npos) {
    out.end = bytes.size();  // nothing marks the next record
    out.error = "the ARC record's header is not \"URL address date type length\"";
    return out;
  }
  const size_t begin = at + line_end + 1;
  const bool about = line.starts_with("filedesc:") || line.starts_with("dns:");
  if (*length > bytes.size() - begin) {
    out.end = bytes.size();
    out.error = fmt::format("the record ends after {} of {} bytes", bytes.size() - begin, *length);
    return out;
  }
  out.end = skip_line_ends(bytes, begin + *length);
  out.page = !about;
  out.content = bytes.substr(begin, *length);
  out.type = fields[1];
  out.http = out.content.starts_with("HTTP/");
  return out;
}

void fail(WebRecord& record, std::string reason) {
  record.bytes.clear();
  record.error = std::move(reason);
}

void take_content(const Frame& frame, size_t bytes_max, WebRecord& record) {
  HttpBody body;
  if (!frame.http) {
    read_content_type(frame.type, body);
    body.bytes = std::string(frame.content);
  } else {
    auto parsed = http_body(frame.content, bytes_max);
    if (!parsed) return fail(record, std::move(parsed).error().message);
    body = *std::move(parsed);
    if (body.status != 200) return fail(record, fmt::format("HTTP status {}", body.status));
  }
  record.type = std::move(body.type);
  record.charset = std::move(body.charset);
  record.bytes = std::move(body.bytes);
  if (record.bytes.size() > bytes_max)
    fail(record, fmt::format("{} bytes, more than {}", record.bytes.size(), bytes_max));
  else if (trim(record.bytes).empty())
    fail(record, "the page is empty");
}

class Reader {
 public:
  Reader(size_t record_bytes_max, const RecordSink& sink)
      : record_bytes_max_(record_bytes_max), sink_(sink) {}

  // Records of unpacked bytes; `place` says where a record that begins at an offset lies.
  template <typename Place>
  Status records(std::string_view bytes, const Place& place) {
    for (size_t at = skip_line_ends(bytes, 0); at < bytes.size();) {
      const bool warc = bytes.substr(at).starts_with("WARC/");
      if (!arc_ && !warc) arc_ = bytes.substr(at).starts_with("filedesc:");
      Frame frame = warc || !arc_ ? warc_frame(bytes, at) : arc_frame(bytes, at);
      PLINTH_TRY(give(frame, place(at, frame.end)));
      at = std::max(at + 1, frame.end);
    }
    return {};
  }

  // Each gzip member holds a record, or the first of them holds the whole file.
  Status members(std::string_view bytes) {
    uint64_t unpacked = 0;  // before this member
    for (size_t at = 0; at < bytes.size();) {
      auto member = inflate_stream(bytes, at, Wrapping::kGzip, record_bytes_max_);
      if (!member) {
        const size_t next = next_member(bytes, at + 1);
        WebRecord bad;
        bad.begin = at;
        bad.end = next;
        bad.error = std::move(member).error().message;
        PLINTH_TRY(sink_(std::move(bad)));
        at = next;
        continue;
      }
      PLINTH_TRY(const bool whole, add_continued(bytes, *member));
      if (!whole) member->end = next_member(bytes, member->end);
      const std::string_view held = member->bytes;
      const bool alone = holds_one(held);
      PLINTH_TRY(records(held, [&](size_t begin, size_t end) {
        WebRecord record;
        record.in_stream = !alone;
        record.begin = alone ? at : unpacked + begin;
        record.end = alone ? member->end : unpacked + end;
        return record;
      }));
      unpacked += held.size();
      at = member->end;
    }
    return {};
  }

 private:
  // Some writers compress by buffers instead of records: members that begin no record go on from
  // the one before. False when the next of them is broken.
  Result<bool> add_continued(std::string_view bytes, Inflated& member) const {
    while (!arc_ && member.bytes.starts_with("WARC/") && member.end < bytes.size() &&
           !gzip_head(bytes, member.end, 5).starts_with("WARC/")) {
      const size_t room = record_bytes_max_ - std::min(record_bytes_max_, member.bytes.size());
      const auto more = inflate_stream(bytes, member.end, Wrapping::kGzip, room);
      if (!more) return false;
      member.bytes += more->bytes;
      member.end = more->end;
    }
    return true;
  }

  bool holds_one(std::string_view held) const {
    const size_t at = skip_line_ends(held, 0);
    if (at == held.size()) return true;
    if (held.substr(at).starts_with("WARC/")) return warc_frame(held, at).end >= held.size();
    return arc_frame(held, at).end >= held.size();
  }

  static size_t next_member(std::string_view bytes, size_t at) {
    constexpr int kTries = 100'000;
    for (int i = 0; i < kTries; ++i) {
      at = bytes.find("\x1F\x8B\x08", at);
      if (at == bytes.npos) return bytes.size();
      if (gzip_head(bytes, at, 5) == "WARC/") return at;
      ++at;
    }
    return bytes.size();
  }

  Status give(const Frame& frame, WebRecord record) {
    if (!frame.page && frame.error.empty()) return {};
    record.url = frame.url;
    if (!frame.error.empty())
      fail(record, frame.error);
    else
      take_content(frame, record_bytes_max_, record);
    return sink_(std::move(record));
  }

  size_t record_bytes_max_;
  const RecordSink& sink_;
  bool arc_ = false;
};

}  // namespace

bool begins_web_archive(std::string_view unpacked) {
  return unpacked.starts_with("WARC/") || unpacked.starts_with("filedesc:");
}

Status read_web_archive(std::string_view bytes, size_t record_bytes_max, const RecordSink& sink) {
  Reader reader(record_bytes_max, sink);
  if (bytes.starts_with("\x1F\x8B")) return reader.members(bytes);
  return reader.records(bytes, [](size_t begin, size_t end) {
    WebRecord record;
    record.begin = begin;
    record.end = end;
    return record;
  });
}

}  // namespace plinth::corpus
