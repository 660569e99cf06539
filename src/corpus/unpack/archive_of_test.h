// Archives in memory for tests.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <string>
#include <utility>
#include <vector>

namespace plinth::corpus {

enum class Packing { kZip, kTar, kTarGzip, kTarZstd, kSevenZip, kGzip, kZstd };

using Entries = std::vector<std::pair<std::string, std::string>>;  // name, content

// kGzip and kZstd hold the first entry's content alone.
inline std::string archive_of(const Entries& files, Packing packing) {
  size_t room = size_t{1} << 20;
  for (const auto& [name, content] : files) room += content.size() + content.size() / 8 + 4096;
  std::string out(room, '\0');
  size_t used = 0;
  archive* a = archive_write_new();
  if (packing == Packing::kZip) archive_write_set_format_zip(a);
  if (packing == Packing::kSevenZip) archive_write_set_format_7zip(a);
  if (packing == Packing::kTar || packing == Packing::kTarGzip || packing == Packing::kTarZstd)
    archive_write_set_format_ustar(a);
  if (packing == Packing::kGzip || packing == Packing::kZstd) archive_write_set_format_raw(a);
  if (packing == Packing::kTarGzip || packing == Packing::kGzip) archive_write_add_filter_gzip(a);
  if (packing == Packing::kTarZstd || packing == Packing::kZstd) archive_write_add_filter_zstd(a);
  archive_write_set_bytes_in_last_block(a, 1);
  archive_write_open_memory(a, out.data(), out.size(), &used);
  for (const auto& [name, content] : files) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_write_header(a, entry);
    archive_write_data(a, content.data(), content.size());
    archive_entry_free(entry);
  }
  archive_write_close(a);
  archive_write_free(a);
  out.resize(used);
  return out;
}

inline std::string zip_of(const Entries& files) {
  return archive_of(files, Packing::kZip);
}

}  // namespace plinth::corpus
