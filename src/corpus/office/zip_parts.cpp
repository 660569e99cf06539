#include "corpus/office/zip_parts.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <memory>

#include "corpus/unpack/utf8_names.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

const char* detail(archive& zip) {
  const char* text = archive_error_string(&zip);
  return text != nullptr ? text : "no detail";
}

Result<std::string> entry_bytes(archive& zip, std::string_view format, std::string_view name,
                                size_t bytes_max) {
  std::string out;
  char buffer[1 << 16];
  while (true) {
    const auto got = archive_read_data(&zip, buffer, sizeof buffer);
    if (got == 0) return out;
    if (got < 0) return data_loss("{} in the {} is damaged: {}", name, format, detail(zip));
    out.append(buffer, static_cast<size_t>(got));
    if (out.size() > bytes_max)
      return exhausted("{} in the {} unpacks to more than {} bytes", name, format, bytes_max);
  }
}

// Little-endian integers of the ZIP format; `at` was checked by the caller.
uint32_t u16(std::string_view bytes, size_t at) {
  return static_cast<unsigned char>(bytes[at]) |
         static_cast<uint32_t>(static_cast<unsigned char>(bytes[at + 1])) << 8;
}

uint32_t u32(std::string_view bytes, size_t at) {
  return u16(bytes, at) | u16(bytes, at + 2) << 16;
}

// Central directory, APPNOTE.TXT section 4.3.12: 46 bytes, then name, extra field and comment.
std::vector<std::string> directory_names(std::string_view bytes, size_t at) {
  std::vector<std::string> out;
  while (out.size() < kZipEntriesMax && at + 46 <= bytes.size() &&
         bytes.substr(at, 4) == "PK\x01\x02") {
    const size_t name = u16(bytes, at + 28);
    if (at + 46 + name > bytes.size()) break;
    out.emplace_back(bytes.substr(at + 46, name));
    at += 46 + name + u16(bytes, at + 30) + u16(bytes, at + 32);
  }
  return out;
}

// Local headers, section 4.3.7: 30 bytes, then the name.
std::vector<std::string> local_names(std::string_view bytes) {
  std::vector<std::string> out;
  const auto head = bytes.substr(0, size_t{64} << 10);
  for (size_t at = 0; (at = head.find("PK\x03\x04", at)) != head.npos && at + 30 <= head.size();
       at += 4)
    out.emplace_back(head.substr(at + 30, u16(head, at + 26)));
  return out;
}

}  // namespace

Result<Parts> zip_parts(std::string_view bytes, std::string_view format,
                        const std::function<bool(std::string_view)>& wanted) {
  const Utf8Names names;
  const std::unique_ptr<archive, decltype(&archive_read_free)> zip(archive_read_new(),
                                                                   &archive_read_free);
  archive_read_support_format_zip(zip.get());
  if (archive_read_open_memory(zip.get(), bytes.data(), bytes.size()) != ARCHIVE_OK)
    return data_loss("not a ZIP file that can be opened, {} bytes", bytes.size());
  Parts parts;
  size_t total = 0;
  archive_entry* entry = nullptr;
  for (int i = 0; i < kZipEntriesMax; ++i) {
    const int status = archive_read_next_header(zip.get(), &entry);
    if (status == ARCHIVE_EOF) break;
    if (status < ARCHIVE_WARN)
      return data_loss("the {}'s ZIP directory is damaged: {}", format, detail(*zip));
    const char* raw = archive_entry_pathname(entry);
    const std::string name = raw == nullptr ? "" : raw;
    if (!wanted(name) || parts.contains(name)) continue;
    const size_t left = std::min(kPartBytesMax, kPartsBytesMax - total);
    PLINTH_TRY(auto part, entry_bytes(*zip, format, name, left));
    total += part.size();
    parts.emplace(name, std::move(part));
  }
  return parts;
}

std::vector<std::string> zip_names(std::string_view bytes) {
  // The end record, section 4.3.16, is 22 bytes and a comment of at most 65535.
  const std::string_view tail = bytes.substr(bytes.size() - std::min<size_t>(bytes.size(), 65557));
  const size_t end = tail.rfind("PK\x05\x06");
  if (end != tail.npos && end + 22 <= tail.size()) {
    auto names = directory_names(bytes, u32(tail, end + 16));
    if (!names.empty()) return names;
  }
  return local_names(bytes);
}

std::string resolve_part(std::string_view folder, std::string_view target) {
  std::string path;
  if (!target.starts_with('/')) path = std::string(folder) + "/";
  path += target;
  std::vector<std::string_view> steps;
  for (size_t at = 0; at <= path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view step = std::string_view(path).substr(at, end - at);
    if (step == "..") {
      if (!steps.empty()) steps.pop_back();
    } else if (!step.empty() && step != ".") {
      steps.push_back(step);
    }
    at = end + 1;
  }
  std::string out;
  for (const std::string_view step : steps) {
    if (!out.empty()) out.push_back('/');
    out += step;
  }
  return out;
}

}  // namespace plinth::corpus
