// Containers: the documents inside ZIP, tar, 7z, gzip, zstd, xz and bzip2 files, inside one another
// at any depth, and the pages inside WARC and ARC files.
//
// A document inside is a leaf with the path "a.zip!/b/c.docx"; a page keeps the path of its WARC
// and has its record's bytes as range. Hostile input is expected: what a file may unpack to is
// bounded in depth, entries, bytes and ratio by the recipe. Past a bound, the rest of the file is
// one leaf with an error; so is a damaged member, and the rest of a damaged container.
#pragma once

#include <functional>
#include <string>

#include "corpus/corpus.h"
#include "corpus/read/draft.h"
#include "corpus/read/kind.h"

namespace plinth::corpus {

struct Leaf {
  std::string path;
  Kind kind = Kind::kBinary;  // never a container
  std::string bytes;
  uint64_t begin = 0;  // where `bytes` begin; of a record, the record's range
  uint64_t end = 0;
  bool record = false;  // a page of a WARC: its drafts all have the range [begin, end)
  std::string url;      // of a page
  std::string charset;  // a hint
  std::string error;    // why there are no bytes
};

// Called in the order of the container, on the calling thread.
using LeafSink = std::function<Status(Leaf&& leaf)>;

// Hands over every leaf of a container, or the pieces of a long file: whole lines of a text, 8 MiB;
// whole rows of JSONL, 1 MiB or 4,096 of them.
// Hidden files (".x", "__MACOSX/") are left out as they are in folders. The only errors are sink's.
Status unpack(const RawFile& file, Kind kind, const RefineRecipe& recipe, const LeafSink& sink);

}  // namespace plinth::corpus
