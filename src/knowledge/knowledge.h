// The knowledge of a domain model: documents cut into chunks, found again by full text, each hit
// with the citation that leads back to the source.
//
//   documents -> chunks (by headings and paragraphs) -> inverted index -> one artifact file
//
// The index is made once, saved, and immutable afterwards: search() may be called from any thread.
// Ranking is BM25 over character bigrams and single characters (Chinese needs no word list for
// that) and ASCII words. Same documents, same bytes; same query, same hits.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"
#include "core/result.h"

namespace plinth::knowledge {

// What the index is built from; the caller converts from its own documents.
struct Document {
  std::string id = {};
  std::string title = {};
  std::string text = {};  // UTF-8; headings in Markdown or in the style of laws (第二章, 第十条)
  std::string source_path = {};
  std::string source_sha256 = {};
  int32_t page = 0;  // 0: the source has no pages
};

// Where a passage is. Offsets count characters (code points) of the document's text.
struct Citation {
  std::string document_id = {};
  std::string title = {};
  std::string section = {};  // headings from the outside in: "第二章 合同的订立 > 第十条"
  int64_t begin = 0;
  int64_t end = 0;  // exclusive
  std::string source_path = {};
  std::string source_sha256 = {};
  int32_t page = 0;
  std::string text = {};  // the passage itself
};

struct Hit {
  double score = 0;  // BM25, higher is better, > 0
  Citation citation;
};

class Index {
 public:
  // kInvalidArgument names a document without an id or with an id that came before.
  static Result<Index> build(std::span<const Document> documents);
  // What bytes() gave. Hostile bytes are kDataLoss, whatever they are.
  static Result<Index> parse(std::string bytes);
  static Result<Index> open(const Path& path);

  Index(Index&&) noexcept;
  Index& operator=(Index&&) noexcept;
  ~Index();

  // The whole index as one file's bytes (laid out in index_file.h); put them into the store.
  const std::string& bytes() const;

  int64_t documents() const;
  int64_t chunks() const;

  // The k best chunks, best first, ties in document order. An empty query finds nothing.
  std::vector<Hit> search(std::string_view query, int64_t k) const;

 private:
  struct Impl;
  explicit Index(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace plinth::knowledge
