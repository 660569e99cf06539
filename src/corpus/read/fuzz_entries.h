// What the fuzzers run; their seeds run it in the unit tests too.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "core/check.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/json.h"
#include "corpus/clean/keywords.h"
#include "corpus/clean/quality_model.h"
#include "corpus/document_json.h"
#include "corpus/office/office.h"
#include "corpus/process.h"
#include "corpus/read/readers.h"
#include "corpus/recipe.h"
#include "corpus/report/verdicts.h"
#include "corpus/rules.h"
#include "corpus/stage/facts.h"
#include "corpus/stage/piece.h"
#include "corpus/text_path.h"
#include "corpus/unpack/unpack.h"
#include "corpus/unpack/web_archive.h"
#include "text/unicode.h"

namespace plinth::corpus {

// Whatever the bytes are: no crash, and what comes out is valid UTF-8 once cleaned.
inline void check_drafts(const Result<Drafts>& drafts) {
  if (!drafts) return;
  for (const Draft& draft : drafts->drafts)
    PLINTH_CHECK(text::is_valid_utf8(clean_text(draft.text).text));
}

inline void fuzz_html(std::string_view bytes) {
  check_drafts(read_html({"f.html", bytes}));
}

inline void fuzz_csv(std::string_view bytes) {
  check_drafts(read_csv({"f.csv", bytes}, {}));
}

inline void fuzz_jsonl(std::string_view bytes) {
  const auto drafts = read_jsonl({"f.jsonl", bytes}, {});
  check_drafts(drafts);
  for (const Draft& draft : drafts->drafts) PLINTH_CHECK(draft.begin < draft.end);
}

inline void fuzz_pdf(std::string_view bytes) {
  check_drafts(read_pdf({"f.pdf", bytes}));
}

// Bytes of no known charset through all that a document goes through by itself.
inline void fuzz_plain(std::string_view bytes) {
  static const Rules kRules = *read_rules({}, {});
  Leaf leaf;
  leaf.path = "f.txt";
  leaf.kind = Kind::kText;
  leaf.bytes = bytes;
  for (const Outcome& one : process_leaf(leaf, "", kRules).outcomes) {
    const Document& document = one.document;
    PLINTH_CHECK(text::is_valid_utf8(document.text) && text::is_valid_utf8(document.title));
    PLINTH_CHECK(document.source.begin <= document.source.end &&
                 document.source.end <= bytes.size());
    PLINTH_CHECK(document.quality >= 0 && document.quality <= 1);
  }
}

// A recipe that reads can be written down.
inline void fuzz_recipe(std::string_view bytes) {
  static const TempDirectory folder = *TempDirectory::create("plinth-fuzz");
  const Path path = folder.path() / "recipe.toml";
  {
    auto file = OutputFile::create(path);
    PLINTH_CHECK(file->write(bytes) && file->close());
  }
  const auto recipe = read_recipe(path);
  if (recipe) PLINTH_CHECK(to_json(*recipe).is_object());
}

// Parts of a ZIP as "name NUL content NUL name ...", which no guess at a checksum reaches.
inline Parts parts_of(std::string_view bytes) {
  Parts out;
  while (!bytes.empty()) {
    std::string_view fields[2];
    for (std::string_view& field : fields) {
      const size_t end = std::min(bytes.find('\0'), bytes.size());
      field = bytes.substr(0, end);
      bytes.remove_prefix(std::min(end + 1, bytes.size()));
    }
    out[std::string(fields[0])] = fields[1];
  }
  return out;
}

inline void check_text(const Result<std::string>& text) {
  if (text) PLINTH_CHECK(text::is_valid_utf8(clean_text(*text).text));
}

inline void fuzz_docx(std::string_view bytes) {
  check_drafts(read_docx({"f.docx", bytes}));
  const size_t document = std::min(bytes.find('\0'), bytes.size());
  check_text(docx_text(std::string(bytes.substr(0, document)),
                       std::string(bytes.substr(std::min(document + 1, bytes.size())))));
}

inline void fuzz_xlsx(std::string_view bytes) {
  check_drafts(read_xlsx({"f.xlsx", bytes}, {}));
  check_drafts(xlsx_drafts(parts_of(bytes), bytes.size(), {}));
}

inline void fuzz_pptx(std::string_view bytes) {
  check_drafts(read_pptx({"f.pptx", bytes}));
  check_text(pptx_text(parts_of(bytes)));
}

inline void fuzz_epub(std::string_view bytes) {
  check_drafts(read_epub({"f.epub", bytes}));
  const auto draft = epub_draft(parts_of(bytes));
  if (draft) check_text(draft->text);
}

// Whatever the container: leaves end, bounds hold, kinds are never containers.
inline void fuzz_unpack(std::string_view bytes) {
  RefineRecipe recipe;
  recipe.file_bytes_max = uint64_t{1} << 20;
  recipe.unpack_bytes_max = uint64_t{8} << 20;
  recipe.unpack_entries_max = 1000;
  const Kind kind = kind_of("f", bytes);
  if (!is_container(kind)) return;
  uint64_t unpacked = 0;
  PLINTH_CHECK(unpack({"f", bytes}, kind, recipe, [&](Leaf&& leaf) -> Status {
    unpacked += leaf.bytes.size();
    PLINTH_CHECK(!is_container(leaf.kind) && leaf.begin <= leaf.end);
    PLINTH_CHECK(text::is_valid_utf8(leaf.path) && (leaf.error.empty() || leaf.bytes.empty()));
    return {};
  }));
  PLINTH_CHECK(unpacked <= recipe.unpack_bytes_max);
}

inline void fuzz_web_archive(std::string_view bytes) {
  PLINTH_CHECK(read_web_archive(bytes, size_t{1} << 20, [&](WebRecord&& record) -> Status {
    PLINTH_CHECK(record.begin <= record.end && record.error.empty() != record.bytes.empty());
    return {};
  }));
}

// A piece with its sum set right, which no guess would reach.
inline void fuzz_piece(std::string_view bytes) {
  static const TempDirectory folder = *TempDirectory::create("plinth-fuzz");
  const Path path = folder.path() / "piece";
  std::string piece(bytes);
  if (piece.size() >= sizeof(uint64_t)) {
    const size_t head = piece.size() - sizeof(uint64_t);
    const uint64_t sum = xxh3(std::string_view(piece).substr(0, head));
    std::memcpy(piece.data() + head, &sum, sizeof sum);
  }
  {
    auto file = OutputFile::create(path);
    PLINTH_CHECK(file->write(piece) && file->close());
  }
  const auto opened = Piece::open(path);
  if (!opened) return;
  const auto look = [](std::string_view record) {
    (void)document_facts_text(record);
    if (const auto json = parse_json(document_line(record), "f")) (void)document_from_json(*json);
    std::string again;
    if (const auto json = parse_json(document_facts_text(record), "f"))
      append_text(document_facts(*json), again);
  };
  (void)opened->each_record([&](std::string_view record) -> Status {
    look(record);
    return {};
  });
  for (const PieceEntry& entry : opened->entries())
    if (const auto record = read_record(path, entry.at, entry.bytes)) look(*record);
}

// A library finds without reading beyond the text, and what it finds stands there.
inline void fuzz_keywords(std::string_view bytes) {
  const auto library = KeywordLibrary::parse(bytes, "f");
  if (!library) return;
  for (const RiskHit& hit : library->find(bytes))
    for (const std::string_view word : hit.words) PLINTH_CHECK(bytes.find(word) != bytes.npos);
}

// The head of a model with weights behind it, scoring what else there is.
inline void fuzz_quality_model(std::string_view bytes) {
  constexpr size_t kHead = 20, kWeights = size_t{1} << 16;
  (void)QualityModel::parse(bytes, "f");
  std::string model(bytes.substr(0, kHead));
  model.resize(kHead + kWeights, static_cast<char>(bytes.empty() ? 0 : bytes.back()));
  const auto read = QualityModel::parse(model, "f");
  if (!read) return;
  PLINTH_CHECK(read->bytes() == model);
  const double score = read->score(bytes);
  PLINTH_CHECK(score >= 0 && score <= 1);
}

inline void fuzz_verdicts(std::string_view bytes) {
  const auto report = parse_verdicts(bytes, "f");
  if (!report) return;
  PLINTH_CHECK(report->all.passed <= report->all.reviewed);
  PLINTH_CHECK(parse_json(report->json, "f"));
}

}  // namespace plinth::corpus
