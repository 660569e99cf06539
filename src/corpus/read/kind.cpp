#include "corpus/read/kind.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "corpus/office/zip_parts.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return static_cast<char>(fold_char(static_cast<unsigned char>(c)));
  });
  return out;
}

// NUL bytes mean UTF-16 or UTF-32 when they keep to one side of the pairs, else no text at all.
bool looks_binary(std::string_view bytes) {
  const auto head = bytes.substr(0, 4096);
  if (head.starts_with("\xFF\xFE") || head.starts_with("\xFE\xFF")) return false;
  size_t even = 0, odd = 0, control = 0;
  for (size_t i = 0; i < head.size(); ++i) {
    const auto byte = static_cast<unsigned char>(head[i]);
    if (byte == 0) (i % 2 == 0 ? even : odd)++;
    if (byte < 0x20 && byte != 0 && byte != '\t' && byte != '\n' && byte != '\r' && byte != '\f' &&
        byte != 0x1B)
      ++control;
  }
  if (even + odd > 0) return std::min(even, odd) * 20 > even + odd || control * 20 > head.size();
  return control * 10 > head.size();
}

bool looks_html(std::string_view head) {
  const std::string text = lower(head.substr(0, 2048));
  const auto start = trim(text);
  if (start.starts_with("<!doctype html") || start.starts_with("<html")) return true;
  return text.find("<html") != text.npos && text.find("<head") != text.npos;
}

// The first line is a whole JSON object, and another one begins on the next.
bool looks_jsonl(std::string_view bytes) {
  const auto head = bytes.substr(0, size_t{64} << 10);
  const size_t end = head.find('\n');
  const auto first = trim(head.substr(0, end));
  return end != head.npos && first.starts_with("{\"") && first.ends_with("}") &&
         trim(head.substr(end)).starts_with("{\"");
}

// ZIP files that are one document name themselves by what is in them.
Kind zip_kind(std::string_view extension, std::string_view bytes) {
  bool container = false, opf = false;
  for (const std::string& part : zip_names(bytes)) {
    if (part == "word/document.xml") return Kind::kDocx;
    if (part == "xl/workbook.xml") return Kind::kXlsx;
    if (part == "ppt/presentation.xml") return Kind::kPptx;
    container |= part == "META-INF/container.xml";
    opf |= part.ends_with(".opf");
  }
  if (container && opf) return Kind::kEpub;
  if (extension == "docx") return Kind::kDocx;
  if (extension == "xlsx") return Kind::kXlsx;
  if (extension == "pptx") return Kind::kPptx;
  if (extension == "epub") return Kind::kEpub;
  return Kind::kZip;
}

// Sum of the header's bytes with its own field taken as blanks, POSIX.1-2017 pax, ustar format:
// tells tars from before "ustar" too.
bool looks_tar(std::string_view bytes) {
  constexpr size_t kBlock = 512, kField = 148, kFieldBytes = 8;
  if (bytes.size() < kBlock || bytes.front() == '\0') return false;
  if (bytes.substr(257, 5) == "ustar") return true;
  unsigned sum = 0, said = 0;
  bool digits = false;
  for (size_t i = 0; i < kBlock; ++i) {
    const bool inside = i >= kField && i < kField + kFieldBytes;
    sum += inside ? ' ' : static_cast<unsigned char>(bytes[i]);
    if (!inside || bytes[i] < '0' || bytes[i] > '7') continue;
    said = said * 8 + static_cast<unsigned>(bytes[i] - '0');
    digits = true;
  }
  return digits && sum == said;
}

std::optional<Kind> packed_kind(std::string_view bytes) {
  struct Magic {
    std::string_view head;
    Kind kind;
  };

  static constexpr std::array<Magic, 7> kMagics = {{{"\x1F\x8B\x08", Kind::kGzip},
                                                    {"\x28\xB5\x2F\xFD", Kind::kZstd},
                                                    {"7z\xBC\xAF\x27\x1C", Kind::kSevenZip},
                                                    {"\xFD\x37zXZ", Kind::kXz},
                                                    {"BZh", Kind::kBzip2},
                                                    {"WARC/", Kind::kWarc},
                                                    {"filedesc:", Kind::kArc}}};
  for (const Magic& magic : kMagics)
    if (bytes.starts_with(magic.head)) {
      // "BZh" could begin a text; the block that follows begins with pi.
      const bool block = bytes.size() >= 10 && bytes.substr(4, 6) == "1AY&SY";
      if (magic.kind == Kind::kBzip2 && !block) continue;
      return magic.kind;
    }
  if (looks_tar(bytes)) return Kind::kTar;
  return {};
}

}  // namespace

std::string_view kind_name(Kind kind) {
  static constexpr std::array<std::string_view, 20> kNames = {
      "text", "markdown", "html", "pdf",  "docx", "xlsx", "pptx",  "epub", "csv", "jsonl",
      "zip",  "tar",      "7z",   "gzip", "zstd", "xz",   "bzip2", "warc", "arc", "binary"};
  return kNames[static_cast<size_t>(kind)];
}

bool is_container(Kind kind) {
  return kind >= Kind::kZip && kind <= Kind::kArc;
}

Kind kind_of(std::string_view name, std::string_view bytes) {
  const size_t dot = name.rfind('.');
  const std::string extension = dot == name.npos ? "" : lower(name.substr(dot + 1));
  if (bytes.starts_with("PK\x03\x04") || bytes.starts_with("PK\x05\x06"))
    return zip_kind(extension, bytes);
  if (const auto packed = packed_kind(bytes)) return *packed;
  if (bytes.substr(0, 1024).find("%PDF-") != bytes.npos) return Kind::kPdf;
  // Damaged: the reader says how.
  if (extension == "pdf") return Kind::kPdf;
  if (extension == "docx") return Kind::kDocx;
  if (looks_binary(bytes)) return Kind::kBinary;
  if (extension == "html" || extension == "htm" || extension == "xhtml") return Kind::kHtml;
  if (extension == "csv" || extension == "tsv") return Kind::kCsv;
  if (extension == "jsonl" || extension == "ndjson") return Kind::kJsonl;
  if (extension == "md" || extension == "markdown") return Kind::kMarkdown;
  if (looks_html(bytes)) return Kind::kHtml;
  return looks_jsonl(bytes) ? Kind::kJsonl : Kind::kText;
}

bool comes_in_pieces(Kind kind, std::string_view bytes) {
  if (kind == Kind::kJsonl) return true;
  // In UTF-16 a byte that looks like a line end may be half of something else.
  constexpr size_t kLook = 4096;
  return (kind == Kind::kText || kind == Kind::kMarkdown) &&
         bytes.substr(0, kLook).find('\0') == bytes.npos && !bytes.starts_with("\xFF\xFE") &&
         !bytes.starts_with("\xFE\xFF");
}

}  // namespace plinth::corpus
