#include "corpus/read/kind.h"

#include <algorithm>
#include <string>

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

}  // namespace

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::kText:
      return "text";
    case Kind::kMarkdown:
      return "markdown";
    case Kind::kHtml:
      return "html";
    case Kind::kPdf:
      return "pdf";
    case Kind::kDocx:
      return "docx";
    case Kind::kCsv:
      return "csv";
    case Kind::kJsonl:
      return "jsonl";
    case Kind::kBinary:
      return "binary";
  }
  return "unknown";
}

Kind kind_of(std::string_view name, std::string_view bytes) {
  const size_t dot = name.rfind('.');
  const std::string extension = dot == name.npos ? "" : lower(name.substr(dot + 1));
  if (bytes.substr(0, 1024).find("%PDF-") != bytes.npos) return Kind::kPdf;
  if (extension == "pdf") return Kind::kPdf;  // damaged: the reader says how
  if (bytes.starts_with("PK\x03\x04") || extension == "docx")
    return extension == "docx" || bytes.substr(0, 1 << 16).find("word/") != bytes.npos
               ? Kind::kDocx
               : Kind::kBinary;
  if (looks_binary(bytes)) return Kind::kBinary;
  if (extension == "html" || extension == "htm" || extension == "xhtml") return Kind::kHtml;
  if (extension == "csv" || extension == "tsv") return Kind::kCsv;
  if (extension == "jsonl" || extension == "ndjson") return Kind::kJsonl;
  if (extension == "md" || extension == "markdown") return Kind::kMarkdown;
  return looks_html(bytes) ? Kind::kHtml : Kind::kText;
}

}  // namespace plinth::corpus
