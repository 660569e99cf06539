#include "corpus/unpack/unpack.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "corpus/read/readers.h"
#include "corpus/text_path.h"
#include "corpus/unpack/inflate.h"
#include "corpus/unpack/utf8_names.h"
#include "corpus/unpack/web_archive.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

// Lines of a long text are handed over in pieces of this size, or of what a document may have where
// that is less; rows in smaller ones, so that all threads have some of them.
constexpr uint64_t kPieceBytes = uint64_t{8} << 20;
constexpr size_t kRowsBytes = size_t{1} << 20;
constexpr size_t kRowsAtOnce = 4096;
constexpr uint64_t kReleaseBytes = uint64_t{32} << 20;
// Small files may have any ratio: a hundred kilobytes that unpack to this do no harm.
constexpr uint64_t kFreeBytes = uint64_t{64} << 20;

bool is_compressed_stream(Kind kind) {
  return kind == Kind::kGzip || kind == Kind::kZstd || kind == Kind::kXz || kind == Kind::kBzip2;
}

bool hidden(std::string_view name) {
  for (size_t at = 0; at < name.size();) {
    const size_t end = std::min(name.find('/', at), name.size());
    const auto step = name.substr(at, end - at);
    if ((step.starts_with('.') && step != "." && step != "..") || step == "__MACOSX") return true;
    at = end + 1;
  }
  return false;
}

// "b/rows.jsonl.gz" -> "rows.jsonl"
std::string stream_name(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash != path.npos) path.remove_prefix(slash + 1);
  for (const std::string_view tail : {".gz", ".zst", ".xz", ".bz2"})
    if (path.size() > tail.size() && path.ends_with(tail))
      return std::string(path.substr(0, path.size() - tail.size()));
  return std::string(path);
}

// Names in ZIP files written by older Windows are in GBK and don't say so.
std::string entry_name(archive_entry* entry) {
  const char* raw = archive_entry_pathname(entry);
  if (raw == nullptr) raw = archive_entry_pathname_utf8(entry);
  if (raw == nullptr) return {};
  if (text::is_valid_utf8(raw)) return raw;
  const auto decoded = decode_text(raw);
  return decoded ? decoded->text : text::to_valid_utf8(raw);
}

using Archive = std::unique_ptr<archive, decltype(&archive_read_free)>;

Archive open_archive(std::string_view bytes, Kind kind) {
  Archive out(archive_read_new(), &archive_read_free);
  archive* a = out.get();
  if (kind == Kind::kZip) archive_read_support_format_zip(a);
  if (kind == Kind::kSevenZip) archive_read_support_format_7zip(a);
  if (kind == Kind::kTar || is_compressed_stream(kind)) archive_read_support_format_tar(a);
  if (is_compressed_stream(kind)) archive_read_support_format_raw(a);
  if (kind == Kind::kGzip) archive_read_support_filter_gzip(a);
  if (kind == Kind::kZstd) archive_read_support_filter_zstd(a);
  if (kind == Kind::kXz) archive_read_support_filter_xz(a);
  if (kind == Kind::kBzip2) archive_read_support_filter_bzip2(a);
  if (archive_read_open_memory(a, bytes.data(), bytes.size()) != ARCHIVE_OK)
    return {nullptr, nullptr};
  return out;
}

std::string detail(archive& a) {
  const char* text = archive_error_string(&a);
  return text != nullptr ? text : "no detail";
}

class Unpacker {
 public:
  Unpacker(const RawFile& file, const RefineRecipe& recipe, const LeafSink& sink)
      : file_(file),
        recipe_(recipe),
        sink_(sink),
        piece_bytes_(std::min(kPieceBytes, recipe.file_bytes_max)) {}

  Status run(Kind kind) {
    if (recipe_.unpack_depth_max < 1 && is_container(kind))
      return fail(file_.path, fmt::format("a {} file is not opened", kind_name(kind)));
    const Status status = open(file_, kind, 1);
    if (status || !over_) return status;
    return fail(file_.path, std::move(*over_));
  }

 private:
  Status open(const RawFile& file, Kind kind, int depth) {
    if (kind == Kind::kWarc || kind == Kind::kArc) return web(file, depth);
    if (!is_container(kind)) return pieces(file, kind);
    if (kind == Kind::kGzip && begins_web_archive(gzip_head(file.bytes, 0, 16)))
      return web(file, depth);
    return entries(file, kind, depth);
  }

  // Bounds hold for the input file with everything inside it together.
  Status count(uint64_t entries, uint64_t bytes) {
    entries_ += entries;
    unpacked_ += bytes;
    look_back(bytes);
    const double ratio = static_cast<double>(unpacked_) / static_cast<double>(file_.bytes.size());
    if (entries_ > recipe_.unpack_entries_max)
      over_ = fmt::format("more than {} files are inside", recipe_.unpack_entries_max);
    else if (unpacked_ > recipe_.unpack_bytes_max)
      over_ = fmt::format("unpacks to more than {} bytes", recipe_.unpack_bytes_max);
    else if (unpacked_ > kFreeBytes && ratio > recipe_.unpack_ratio_max)
      over_ = fmt::format("unpacks to more than {} times its size", recipe_.unpack_ratio_max);
    if (over_) return exhausted("{}: {}", file_.path, *over_);
    return {};
  }

  // After so many bytes those read so far may leave memory.
  void look_back(uint64_t bytes) {
    since_release_ += bytes;
    if (since_release_ < kReleaseBytes) return;
    since_release_ = 0;
    if (file_.release) file_.release();
  }

  Status fail(const std::string& path, std::string reason, uint64_t begin = 0, uint64_t end = 0) {
    Leaf leaf;
    leaf.path = path;
    leaf.begin = begin;
    leaf.end = end;
    leaf.error = std::move(reason);
    return sink_(std::move(leaf));
  }

  Status entries(const RawFile& file, Kind kind, int depth) {
    const Utf8Names names;
    const Archive opened = open_archive(file.bytes, kind);
    if (!opened)
      return fail(file.path, fmt::format("no {} file that can be opened", kind_name(kind)));
    archive& a = *opened;
    archive_entry* entry = nullptr;
    while (true) {
      const int status = archive_read_next_header(&a, &entry);
      if (status == ARCHIVE_EOF) return {};
      if (status < ARCHIVE_WARN)
        return fail(file.path,
                    fmt::format("the {} file is damaged: {}", kind_name(kind), detail(a)));
      PLINTH_TRY(count(1, 0));
      const bool stream = archive_format(&a) == ARCHIVE_FORMAT_RAW;
      const std::string name = stream ? stream_name(file.path) : entry_name(entry);
      const bool plain =
          archive_entry_filetype(entry) == AE_IFREG && archive_entry_hardlink(entry) == nullptr;
      if (!plain || (!stream && hidden(name))) {
        // A stream must be unpacked to be skipped: within the bounds.
        if (kind != Kind::kZip) PLINTH_TRY(skip(a));
        continue;
      }
      PLINTH_TRY(const bool going, member(a, {file.path + "!/" + name, {}}, entry, depth));
      if (!going) return {};
    }
  }

  Status skip(archive& a) {
    char block[1 << 16];
    for (la_ssize_t got; (got = archive_read_data(&a, block, sizeof block)) > 0;)
      PLINTH_TRY(count(0, static_cast<uint64_t>(got)));
    return {};
  }

  // One entry. False: the container is damaged here and nothing after it can be read.
  Result<bool> member(archive& a, RawFile file, archive_entry* entry, int depth) {
    if (archive_entry_is_encrypted(entry) != 0) {
      PLINTH_TRY(fail(file.path, "encrypted"));
      return true;
    }
    std::string bytes;
    std::optional<Kind> kind;
    uint64_t begin = 0;  // of `bytes` in the member
    size_t cut_at = piece_bytes_;
    bool too_long = false;
    uint64_t line_begin = 0;    // of a line that is too long
    bool in_long_line = false;  // its bytes are passed over
    char block[1 << 16];
    while (true) {
      const auto got = archive_read_data(&a, block, sizeof block);
      if (got == ARCHIVE_RETRY) continue;
      if (got < 0) {
        PLINTH_TRY(fail(file.path,
                        fmt::format("damaged after {} bytes: {}", begin + bytes.size(), detail(a)),
                        begin, begin + bytes.size()));
        return got == ARCHIVE_WARN;
      }
      if (got == 0) break;
      PLINTH_TRY(count(0, static_cast<uint64_t>(got)));
      if (too_long) continue;
      std::string_view some(block, static_cast<size_t>(got));
      if (in_long_line) {
        const size_t line_end = some.find('\n');
        begin += line_end == some.npos ? some.size() : line_end + 1;
        if (line_end == some.npos) continue;
        PLINTH_TRY(long_line(file.path, line_begin, begin));
        in_long_line = false;
        some.remove_prefix(line_end + 1);
      }
      bytes.append(some);
      if (bytes.size() >= piece_bytes_ && !kind) kind = kind_of(file.path, bytes);
      if (bytes.size() >= cut_at && comes_in_pieces(*kind, bytes)) {
        PLINTH_TRY(whole_lines(file.path, *kind, bytes, begin));
        cut_at =
            bytes.size() + piece_bytes_;  // a line of many pieces is not searched for each block
      }
      const uint64_t limit =
          kind && is_container(*kind) ? nested_bytes_max() : recipe_.file_bytes_max;
      if (bytes.size() <= limit) continue;
      if (kind && comes_in_pieces(*kind, bytes)) {
        PLINTH_TRY(whole_lines(file.path, *kind, bytes, begin));
        if (bytes.size() <= limit) continue;
        in_long_line = true;
        line_begin = begin;
        begin += bytes.size();
        bytes = {};
        cut_at = piece_bytes_;
        continue;
      }
      too_long = true;
      bytes = {};
      PLINTH_TRY(fail(file.path, fmt::format("more than {} bytes", limit)));
    }
    if (too_long) return true;
    if (in_long_line) PLINTH_TRY(long_line(file.path, line_begin, begin));
    if (begin > 0) {  // what is left of a long file
      if (!bytes.empty()) PLINTH_TRY(give(file.path, *kind, std::move(bytes), begin));
      return true;
    }
    file.bytes = bytes;
    const Kind found = kind_of(file.path, bytes);
    if (!is_container(found)) {
      PLINTH_TRY(give(file.path, found, std::move(bytes), 0));
    } else if (depth >= recipe_.unpack_depth_max) {
      PLINTH_TRY(fail(file.path, fmt::format("a {} file {} containers deep is not opened",
                                             kind_name(found), depth)));
    } else {
      PLINTH_TRY(open(file, found, depth + 1));
    }
    return true;
  }

  // A container inside another one is held in memory while it is open, but not multiplied there.
  uint64_t nested_bytes_max() const { return std::max(recipe_.file_bytes_max, recipe_.memory / 4); }

  // Rows come as so many documents each: of very short ones fewer bytes are handed over at a time.
  Status give(const std::string& path, Kind kind, std::string bytes, uint64_t begin) {
    if (kind != Kind::kJsonl) return hand_over(path, kind, std::move(bytes), begin);
    size_t from = 0, rows = 0;
    for (size_t at = 0; (at = bytes.find('\n', at)) != bytes.npos;) {
      ++at;
      if ((++rows < kRowsAtOnce && at - from < kRowsBytes) || at == bytes.size()) continue;
      PLINTH_TRY(hand_over(path, kind, bytes.substr(from, at - from), begin + from));
      from = at;
      rows = 0;
    }
    if (from > 0) bytes.erase(0, from);
    return hand_over(path, kind, std::move(bytes), begin + from);
  }

  Status hand_over(const std::string& path, Kind kind, std::string bytes, uint64_t begin) {
    Leaf leaf;
    leaf.path = path;
    leaf.kind = kind;
    leaf.begin = begin;
    leaf.end = begin + bytes.size();
    leaf.bytes = std::move(bytes);
    return sink_(std::move(leaf));
  }

  Status long_line(const std::string& path, uint64_t begin, uint64_t end) {
    return fail(
        path, fmt::format("a line of {} bytes, more than {}", end - begin, recipe_.file_bytes_max),
        begin, end);
  }

  // Hands over the whole lines of `bytes` and keeps the rest.
  Status whole_lines(const std::string& path, Kind kind, std::string& bytes, uint64_t& begin) {
    const size_t last = bytes.rfind('\n');
    if (last == bytes.npos) return {};
    std::string rest = bytes.substr(last + 1);
    bytes.resize(last + 1);
    const uint64_t from = begin;
    begin += bytes.size();
    PLINTH_TRY(give(path, kind, std::move(bytes), from));
    bytes = std::move(rest);
    return {};
  }

  Status pieces(const RawFile& file, Kind kind) {
    for (size_t at = 0; at < file.bytes.size();) {
      size_t end = std::min(file.bytes.size(), at + piece_bytes_);
      if (end < file.bytes.size()) {
        const size_t last = file.bytes.substr(at, piece_bytes_).rfind('\n');
        end = last != file.bytes.npos ? at + last + 1 : line_end(file.bytes, end);
      }
      if (end - at > recipe_.file_bytes_max) {
        PLINTH_TRY(long_line(file.path, at, end));
      } else {
        PLINTH_TRY(give(file.path, kind, std::string(file.bytes.substr(at, end - at)), at));
      }
      at = end;
    }
    return {};
  }

  // Behind the next line break.
  size_t line_end(std::string_view bytes, size_t from) {
    constexpr size_t kStep = size_t{1} << 20;
    for (; from < bytes.size(); from += kStep) {
      const size_t found = bytes.substr(from, kStep).find('\n');
      if (found != bytes.npos) return from + found + 1;
      look_back(kStep);
    }
    return bytes.size();
  }

  Status web(const RawFile& file, int depth) {
    const std::string inside = file.path + "!/" + stream_name(file.path);
    return read_web_archive(file.bytes, recipe_.file_bytes_max, [&](WebRecord&& record) -> Status {
      PLINTH_TRY(count(1, record.bytes.size()));
      Leaf leaf;
      leaf.path = record.in_stream ? inside : file.path;
      leaf.begin = record.begin;
      leaf.end = record.end;
      leaf.record = true;
      leaf.url = text::to_valid_utf8(record.url);
      leaf.charset = std::move(record.charset);
      leaf.error = std::move(record.error);
      if (leaf.error.empty()) {
        leaf.kind = page_kind(leaf.url, record.type, record.bytes);
        if (is_container(leaf.kind)) {
          if (depth >= recipe_.unpack_depth_max) {
            leaf.error = fmt::format("a {} file {} containers deep is not opened",
                                     kind_name(leaf.kind), depth);
          } else {
            const std::string name = fmt::format("{}!/{}", leaf.path, leaf.url);
            return open({name, record.bytes}, leaf.kind, depth + 1);
          }
        } else {
          leaf.bytes = std::move(record.bytes);
        }
      }
      return sink_(std::move(leaf));
    });
  }

  // Bytes first, then what the server said, then the name in the URL.
  static Kind page_kind(std::string_view url, std::string_view type, std::string_view bytes) {
    const Kind kind = kind_of(url.substr(0, url.find_first_of("?#")), bytes);
    if (kind != Kind::kText && kind != Kind::kMarkdown && kind != Kind::kCsv) return kind;
    if (type == "text/html" || type == "application/xhtml+xml") return Kind::kHtml;
    for (const std::string_view machine :
         {"image/", "video/", "audio/", "font/", "text/css", "text/javascript",
          "application/javascript", "application/x-javascript", "application/json",
          "application/octet-stream"})
      if (type.starts_with(machine)) return Kind::kBinary;
    return kind;
  }

  const RawFile& file_;
  const RefineRecipe& recipe_;
  const LeafSink& sink_;
  size_t piece_bytes_;
  int64_t entries_ = 0;
  uint64_t unpacked_ = 0;
  uint64_t since_release_ = 0;
  std::optional<std::string> over_;  // the bound that was passed
};

}  // namespace

Status unpack(const RawFile& file, Kind kind, const RefineRecipe& recipe, const LeafSink& sink) {
  return Unpacker(file, recipe, sink).run(kind);
}

}  // namespace plinth::corpus
