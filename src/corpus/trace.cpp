// trace(): from a line of a corpus, and from a byte of its text, back to the input.
#include <algorithm>
#include <optional>

#include "core/hash.h"
#include "core/json.h"
#include "corpus/clean/chinese.h"
#include "corpus/clean/personal_data.h"
#include "corpus/corpus.h"
#include "corpus/document_json.h"
#include "corpus/read/walk.h"
#include "corpus/shard.h"
#include "corpus/text_path.h"
#include "corpus/unpack/unpack.h"
#include "corpus/utf8.h"
#include "text/encoding.h"

namespace plinth::corpus {
namespace {

struct Span {
  uint64_t begin = 0;
  uint64_t end = 0;
};

// The line of `text` that holds byte `at`.
Span line_at(std::string_view text, uint64_t at) {
  const size_t before = at == 0 ? text.npos : text.rfind('\n', at - 1);
  const size_t begin = before == text.npos ? 0 : before + 1;
  return {begin, std::min(text.find('\n', at), text.size())};
}

// What the lines of the corpus went through, of its recipe.
Result<RefineRecipe> line_recipe(const Path& corpus) {
  PLINTH_TRY(const auto text, read_file(corpus / "manifest.json"));
  PLINTH_TRY(const Json manifest, parse_json(text, (corpus / "manifest.json").string()));
  RefineRecipe out;
  const auto recipe = manifest.find("recipe");
  if (recipe == manifest.end() || !recipe->is_object()) return out;
  out.opencc = string_or(*recipe, "opencc", "");
  const auto pii = recipe->find("pii");
  if (pii == recipe->end() || !pii->is_object()) return out;
  for (const auto& [kind, action] : pii->items())
    out.pii[kind] = action == "keep"   ? PiiAction::kKeep
                    : action == "drop" ? PiiAction::kDrop
                                       : PiiAction::kMask;
  return out;
}

// Walks the raw lines beside those of the finished text. Cleaning works line by line, so that each
// line of the text is a raw line made clean; lines that were cut out are passed over.
std::optional<Span> raw_line(std::string_view raw, std::string_view text, uint64_t at,
                             const RefineRecipe& recipe, const ChineseConverter& chinese) {
  const text::CharsetGuess guess = text::detect_charset(raw);
  if (guess.charset == text::Charset::kUtf16Le || guess.charset == text::Charset::kUtf16Be)
    return {};
  const bool repaired = clean_text(text::decode_as(raw, guess.charset).text).repaired;
  const Span wanted = line_at(text, at);
  size_t raw_at = static_cast<size_t>(guess.bom_bytes);
  for (size_t from = 0; from <= wanted.begin && from < text.size();) {
    const size_t end = std::min(text.find('\n', from), text.size());
    const std::string_view line = text.substr(from, end - from);
    const bool is_wanted = from == wanted.begin;
    from = end + 1;
    if (line.empty()) continue;
    while (raw_at < raw.size()) {
      const Span span{raw_at, std::min(raw.find('\n', raw_at), raw.size())};
      raw_at = span.end + 1;
      std::string decoded =
          text::decode_as(raw.substr(span.begin, span.end - span.begin), guess.charset).text;
      if (repaired) decoded = text::repair_mojibake(decoded).text;
      std::map<std::string, PiiCount> counts;
      const std::string made =
          mask_personal_data(chinese.convert(clean_text(decoded).text).text, recipe, counts);
      if (trim(made) != trim(line)) continue;
      if (is_wanted) return span;
      break;
    }
  }
  return {};
}

// The bytes of a document's file, or of the leaf that it was in.
struct Raw {
  std::string bytes;
  Kind kind = Kind::kBinary;
  uint64_t begin = 0;  // of `bytes` in what the document's path names
};

Result<Raw> raw_of(const Source& source, const std::vector<Path>& inputs,
                   const RefineRecipe& recipe) {
  PLINTH_TRY(const auto files, walk_inputs(inputs));
  const std::string name = source.path.substr(0, source.path.find("!/"));
  const auto file =
      std::find_if(files.begin(), files.end(), [&](const InputFile& f) { return f.name == name; });
  if (file == files.end()) return not_found("{} is not among the inputs", name);
  if (!file->error.empty()) return invalid("{}: {}", file->path.string(), file->error);
  PLINTH_TRY(const std::string hash, sha256_file(file->path));
  if (hash != source.sha256)
    return make_error(Code::kFailedPrecondition, "{} has changed: its SHA-256 is {}, was {}",
                      file->path.string(), hash, source.sha256);
  PLINTH_TRY(const auto map, MappedFile::open(file->path));
  Raw out;
  out.kind = kind_of(file->name, map.text());
  if (!is_container(out.kind)) {
    out.bytes = map.text();
    return out;
  }
  bool found = false;
  const Status status =
      unpack({file->name, map.text()}, out.kind, recipe, [&](Leaf&& leaf) -> Status {
        if (found || leaf.path != source.path || leaf.begin > source.begin ||
            leaf.end < source.end || !leaf.error.empty())
          return {};
        found = true;
        out = {std::move(leaf.bytes), leaf.kind, leaf.begin};
        return {};
      });
  if (!status) return status.error();
  if (!found) return not_found("{} is not in {}", source.path, file->path.string());
  return out;
}

Json place_in_raw(const Document& document, uint64_t at, const std::vector<Path>& inputs,
                  const RefineRecipe& recipe, const ChineseConverter& chinese) {
  const auto raw = raw_of(document.source, inputs, recipe);
  if (!raw) return {{"found", false}, {"why", raw.error().message}};
  Json out = {{"found", true}, {"sha256_equal", true}};
  if (raw->kind == Kind::kText || raw->kind == Kind::kMarkdown) {
    const uint64_t skip = document.source.begin - std::min(document.source.begin, raw->begin);
    const std::string_view bytes = std::string_view(raw->bytes)
                                       .substr(std::min<uint64_t>(skip, raw->bytes.size()),
                                               document.source.end - document.source.begin);
    if (const auto span = raw_line(bytes, document.text, at, recipe, chinese)) {
      out["range"] = {document.source.begin + span->begin, document.source.begin + span->end};
      out["exact"] = true;
      return out;
    }
  }
  // A row, a page of a crawl, a whole file of another format.
  out["range"] = {document.source.begin, document.source.end};
  out["exact"] = false;
  return out;
}

}  // namespace

Result<std::string> trace(const Path& corpus_dir, std::string_view id) {
  std::string found;
  const auto look = [&](std::string_view line) -> Status {
    if (!found.empty() || line.find(id) == line.npos) return {};
    PLINTH_TRY(const Json json, parse_json(line, corpus_dir.string()));
    if (string_or(json, "id", "") == id) found = std::string(line);
    return {};
  };
  for (const char* name : {"documents", "rejects"}) PLINTH_TRY(read_shards(corpus_dir, name, look));
  if (found.empty())
    return not_found("corpus {}: no document or reject {}", corpus_dir.string(), id);
  return found;
}

Result<std::string> trace_byte(const Path& corpus_dir, std::string_view id, uint64_t at,
                               const std::vector<Path>& inputs) {
  PLINTH_TRY(const std::string line, trace(corpus_dir, id));
  PLINTH_TRY(const Json json, parse_json(line, corpus_dir.string()));
  PLINTH_TRY(const Document document, document_from_json(json));
  const std::string_view text = document.text;
  if (at >= text.size())
    return invalid("document {}: its text has {} bytes, there is no byte {}", id, text.size(), at);
  const Span span = line_at(text, at);
  Json out = {
      {"id", document.id},
      {"byte", at},
      {"line",
       {{"number", std::count(text.begin(), text.begin() + static_cast<long>(at), '\n') + 1},
        {"range", {span.begin, span.end}},
        {"text", text.substr(span.begin, span.end - span.begin)}}},
      {"source", json["source"]},
      {"rules", document.rules}};
  out["source"].erase("pages");
  const int page = page_at(document.source, at);
  out["source"]["page"] = page > 0 ? Json(page) : Json();
  Json headings = Json::array();
  for (const Section& section : sections(text))
    if (section.begin <= at && at < section.end && !section.heading.empty()) {
      headings = section.path;
      headings.push_back(section.heading);
    }
  out["headings"] = std::move(headings);
  for (const char* key : {"stage", "reason"})
    if (json.contains(key)) out[key] = json[key];
  if (!inputs.empty()) {
    PLINTH_TRY(const RefineRecipe recipe, line_recipe(corpus_dir));
    ChineseConverter chinese;
    if (!recipe.opencc.empty()) {
      PLINTH_TRY(chinese, ChineseConverter::open(recipe.opencc));
    }
    out["input"] = place_in_raw(document, at, inputs, recipe, chinese);
  }
  return out.dump(1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace plinth::corpus
