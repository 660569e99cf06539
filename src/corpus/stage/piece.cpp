#include "corpus/stage/piece.h"

#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "core/hash.h"
#include "corpus/clean/boilerplate.h"
#include "corpus/document_json.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr std::string_view kMagic = "plinthP3";
constexpr int kLevel = 1;  // read once or twice, then gone
constexpr uint64_t kRecordBytesMax = uint64_t{1} << 30;
// Shorter ones are not compressed: of rows of fifty bytes that took a third of the whole run's
// time.
constexpr size_t kCompressedBytesMin = 1024;

struct Footer {
  uint64_t entries_at = 0;
  uint32_t entries = 0;
  uint32_t keys = 0;
  uint32_t lines = 0;
  uint32_t last = 0;
  uint64_t sum = 0;
};

static_assert(sizeof(Footer) == 32 && sizeof(PieceEntry) == 40 && sizeof(BandKeys) == 256);

struct FreeContext {
  void operator()(ZSTD_CCtx* c) const { ZSTD_freeCCtx(c); }
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

template <typename T>
void append_raw(std::string& out, const T* values, size_t n) {
  out.append(reinterpret_cast<const char*>(values), n * sizeof(T));
}

}  // namespace

Result<std::string> record_of(std::string_view frame, const Path& path) {
  // A Zstandard frame begins with '('.
  if (frame.starts_with('F') || frame.starts_with('D')) return std::string(frame);
  const auto size = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > kRecordBytesMax)
    return data_loss("{}: a record is damaged", path.string());
  std::string out(size, '\0');
  const size_t got = ZSTD_decompress(out.data(), out.size(), frame.data(), frame.size());
  if (ZSTD_isError(got) != 0 || got != size)
    return data_loss("{}: a record is damaged", path.string());
  if (out.empty()) return data_loss("{}: a record is empty", path.string());
  return out;
}

Status append_record(std::string_view text, std::string& records) {
  if (text.size() < kCompressedBytesMin && (text.starts_with('F') || text.starts_with('D'))) {
    const auto length = static_cast<uint32_t>(text.size());
    append_raw(records, &length, 1);
    records += text;
    return {};
  }
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeContext> zstd(ZSTD_createCCtx());
  ZSTD_CCtx_setParameter(zstd.get(), ZSTD_c_compressionLevel, kLevel);
  ZSTD_CCtx_setParameter(zstd.get(), ZSTD_c_checksumFlag, 1);
  const size_t bound = ZSTD_compressBound(text.size());
  const size_t at = records.size();
  records.resize(at + sizeof(uint32_t) + bound);
  char* frame = records.data() + at + sizeof(uint32_t);
  const size_t size = ZSTD_compress2(zstd.get(), frame, bound, text.data(), text.size());
  if (ZSTD_isError(size) != 0) return internal_error("zstd: {}", ZSTD_getErrorName(size));
  if (size > UINT32_MAX) return exhausted("a document of {} bytes is too large", text.size());
  const auto length = static_cast<uint32_t>(size);
  std::memcpy(records.data() + at, &length, sizeof length);
  records.resize(at + sizeof length + size);
  return {};
}

void FileEncoder::add(const FileOutcome& file, const Outcome& one) {
  if (!status_) return;
  const DocumentFacts facts = facts_of(one, file.kind);
  PieceEntry entry;
  entry.at = out_.records.size() + sizeof(uint32_t);
  status_ = append_record(document_record(one.document, facts), out_.records);
  if (!status_) return;
  entry.bytes = static_cast<uint32_t>(out_.records.size() - entry.at);
  entry.text_hash = one.text_hash;
  entry.chars = static_cast<uint32_t>(std::min<int64_t>(facts.chars_out, UINT32_MAX));
  entry.copy_like = looks_like_copy(facts.path) ? 1 : 0;
  entry.chars_min = one.chars_min;
  if (!one.drop) {
    entry.keys = static_cast<int32_t>(out_.keys.size());
    out_.keys.push_back(one.keys);
    const auto lines = edge_line_keys(one.document.text, source_name(one.document.source));
    entry.lines = static_cast<uint32_t>(lines.size());
    out_.lines.insert(out_.lines.end(), lines.begin(), lines.end());
  }
  out_.entries.push_back(entry);
}

Result<EncodedFile> FileEncoder::finish(const std::string& path, const FileOutcome& file) {
  PLINTH_TRY(status_);
  PLINTH_TRY(append_record(fmt::format("F{}", to_text(to_json(facts_of(path, file)))), out_.head));
  return std::exchange(out_, {});
}

Result<EncodedFile> encode(const std::string& path, const FileOutcome& file) {
  FileEncoder encoder;
  for (const Outcome& one : file.outcomes) encoder.add(file, one);
  return encoder.finish(path, file);
}

void PieceBuilder::add(const EncodedFile& file) {
  records_ += file.head;
  const uint64_t base = kMagic.size() + records_.size();
  for (PieceEntry entry : file.entries) {
    entry.at += base;
    if (entry.keys >= 0) entry.keys += static_cast<int32_t>(keys_.size());
    entries_.push_back(entry);
  }
  records_ += file.records;
  keys_.insert(keys_.end(), file.keys.begin(), file.keys.end());
  lines_.insert(lines_.end(), file.lines.begin(), file.lines.end());
}

std::string PieceBuilder::finish(bool last) {
  std::string out;
  out.reserve(kMagic.size() + records_.size() + entries_.size() * sizeof(PieceEntry) +
              keys_.size() * sizeof(BandKeys) + lines_.size() * sizeof(uint64_t) + sizeof(Footer) +
              8);
  out += kMagic;
  out += records_;
  out.append((8 - out.size() % 8) % 8, '\0');  // so that a map can be read in place
  Footer footer;
  footer.entries_at = out.size();
  footer.entries = static_cast<uint32_t>(entries_.size());
  footer.keys = static_cast<uint32_t>(keys_.size());
  footer.lines = static_cast<uint32_t>(lines_.size());
  footer.last = last ? 1 : 0;
  append_raw(out, entries_.data(), entries_.size());
  append_raw(out, keys_.data(), keys_.size());
  append_raw(out, lines_.data(), lines_.size());
  append_raw(out, &footer, 1);
  footer.sum = xxh3(std::string_view(out).substr(0, out.size() - sizeof footer.sum));
  std::memcpy(out.data() + out.size() - sizeof footer.sum, &footer.sum, sizeof footer.sum);
  *this = PieceBuilder();
  return out;
}

Result<Piece> Piece::open(const Path& path) {
  PLINTH_TRY(auto map, MappedFile::open(path));
  const std::string_view all = map.text();
  Footer footer;
  const auto damaged = [&](const char* what) {
    return data_loss("{}: {} bytes, {}", path.string(), all.size(), what);
  };
  if (all.size() < kMagic.size() + sizeof footer || !all.starts_with(kMagic))
    return damaged("no piece of a refine run");
  std::memcpy(&footer, all.data() + all.size() - sizeof footer, sizeof footer);
  if (footer.sum != xxh3(all.substr(0, all.size() - sizeof footer.sum)))
    return damaged("damaged: its sum is another one");
  const uint64_t tail = footer.entries * sizeof(PieceEntry) + footer.keys * sizeof(BandKeys) +
                        footer.lines * sizeof(uint64_t);
  if (footer.entries_at % 8 != 0 || footer.entries_at > all.size() ||
      footer.entries_at + tail + sizeof footer != all.size())
    return damaged("its parts do not add up");
  Piece piece(std::move(map), path);
  const char* at = piece.map_.text().data() + footer.entries_at;
  piece.records_end_ = footer.entries_at;
  piece.entries_ = {reinterpret_cast<const PieceEntry*>(at), footer.entries};
  piece.keys_ = {reinterpret_cast<const BandKeys*>(at + footer.entries * sizeof(PieceEntry)),
                 footer.keys};
  piece.lines_ = {reinterpret_cast<const uint64_t*>(piece.keys_.data() + footer.keys),
                  footer.lines};
  piece.last_ = footer.last != 0;
  uint64_t lines = 0;
  for (const PieceEntry& entry : piece.entries_) {
    lines += entry.lines;
    if (entry.at > footer.entries_at || entry.bytes > footer.entries_at - entry.at ||
        entry.keys >= static_cast<int64_t>(footer.keys) || entry.keys < -1 || lines > footer.lines)
      return damaged("an entry points outside");
  }
  return piece;
}

Status Piece::each_frame(
    const std::function<Status(uint64_t at, std::string_view frame)>& body) const {
  const std::string_view all = map_.text().substr(0, records_end_);
  constexpr size_t kPadding = 8;  // fewer bytes than that stand behind the last record
  for (uint64_t at = kMagic.size(); at + kPadding <= all.size();) {
    uint32_t length = 0;
    std::memcpy(&length, all.data() + at, sizeof length);
    at += sizeof length;
    if (length == 0 || at + length > all.size())
      return data_loss("{}: a record is damaged", path_.string());
    PLINTH_TRY(body(at, all.substr(at, length)));
    at += length;
  }
  return {};
}

Status Piece::each_record(const std::function<Status(std::string_view record)>& body) const {
  return each_frame([&](uint64_t, std::string_view frame) -> Status {
    PLINTH_TRY(const std::string record, record_of(frame, path_));
    return body(record);
  });
}

std::string document_record(const Document& document, const DocumentFacts& facts) {
  std::string out = "D";
  append_line(document, out);
  out += '\n';
  append_text(facts, out);
  return out;
}

std::string_view document_line(std::string_view record) {
  return record.substr(1, record.rfind('\n') - 1);
}

std::string_view document_facts_text(std::string_view record) {
  return record.substr(record.rfind('\n') + 1);
}

Result<std::string> read_record(const Path& piece, uint64_t at, uint32_t bytes) {
  PLINTH_TRY(const auto map, MappedFile::open(piece));
  if (at > map.text().size() || bytes > map.text().size() - at)
    return data_loss("{}: a record is missing", piece.string());
  return record_of(map.text().substr(at, bytes), piece);
}

}  // namespace plinth::corpus
