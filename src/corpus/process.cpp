#include "corpus/process.h"

#include <cmath>

#include "core/hash.h"
#include "corpus/read/readers.h"
#include "corpus/text_path.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

// number: among the documents of one path that begin at one byte (sheets of a workbook).
std::string document_id(std::string_view path, uint64_t begin, int number) {
  std::string key = fmt::format("{}\n{}", path, begin);
  if (number > 0) key += fmt::format("\n{}", number);
  return sha256_hex(key).substr(0, 16);
}

// White space and heading marks do not make a text another text.
uint64_t text_hash(std::string_view text) {
  std::string bare;
  bare.reserve(text.size());
  bool line_start = true;
  size_t from = 0;  // of what is not yet copied
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    size_t next = i + 1;
    bool skip = lead <= ' ' || (lead == '#' && line_start);
    // Spaces beyond ASCII begin with one of four bytes; all else need not be decoded.
    if (lead == 0xC2 || lead == 0xE2 || lead == 0xE3 || lead == 0xEF) {
      next = i;
      skip = is_space(next_char(text, next));
    }
    if (lead == '\n' || lead == kPageMark)
      line_start = true;
    else if (!skip)
      line_start = false;
    if (skip) {
      bare.append(text, from, i - from);
      from = next;
    }
    i = next;
  }
  bare += text.substr(from);
  return xxh3(bare);
}

// Takes the page marks out of the text and notes where they were.
std::vector<PageMark> take_page_marks(std::string& text, int first_page) {
  std::vector<PageMark> pages;
  if (text.find(kPageMark) == text.npos) return pages;
  std::string out;
  out.reserve(text.size());
  int page = first_page;
  for (const char c : text) {
    if (c != kPageMark) {
      out.push_back(c);
      continue;
    }
    if (first_page > 0) pages.push_back({page++, out.size()});
  }
  text = std::move(out);
  return pages;
}

// The first line that masking changed, both ways: a sample for the report.
void note_difference(std::string_view before, std::string_view after, Outcome& outcome) {
  size_t from = 0;
  while (from < before.size() && from < after.size() && before[from] == after[from]) ++from;
  if (from == before.size() && from == after.size()) return;
  const size_t start = from == 0 ? 0 : before.rfind('\n', from - 1) + 1;
  const auto line = [&](std::string_view text) {
    return std::string(prefix_chars(text.substr(start, text.find('\n', from) - start), 160));
  };
  outcome.before = line(before);
  outcome.after = line(after);
}

void look_for_risks(std::string_view text, const KeywordLibrary& library, Outcome& out) {
  for (const RiskHit& hit : library.find(text)) {
    const RiskClass& risk = library.classes()[hit.risk_class];
    out.risks.push_back(risk.id);
    out.document.rules.push_back(fmt::format("keyword:{}:{}", risk.id, hit.hits));
    if (risk.drop && !out.drop)
      out.drop =
          Drop{"keyword", fmt::format("{} {}: {}", risk.id, risk.name, fmt::join(hit.words, " "))};
  }
}

// The longest path of the register that the document's begins with.
const SourceLicence* source_of(std::string_view path, const RefineRecipe& recipe) {
  const SourceLicence* best = nullptr;
  for (const SourceLicence& source : recipe.sources)
    if (path.starts_with(source.path) &&
        (best == nullptr || source.path.size() > best->path.size()))
      best = &source;
  return best;
}

Outcome process_draft(Draft draft, const Rules& rules) {
  const RefineRecipe& recipe = rules.recipe;
  Outcome out;
  out.chars = static_cast<int64_t>(count_chars(draft.text));
  out.blocks_removed = draft.blocks_removed;
  CleanText clean = clean_text(draft.text);
  out.repaired = clean.repaired;
  out.normalised = clean.normalised;
  Document& document = out.document;
  document.rules = std::move(draft.rules);
  if (clean.repaired) document.rules.emplace_back("mojibake");
  document.title = std::string(trim(clean_text(draft.title).text));

  const TextStats stats = measure(clean.text);
  document.lang = std::string(language_of(stats));
  Judged judged = judge(clean.text, stats, recipe);
  document.quality = judged.quality;
  out.drop = std::move(judged.drop);
  if (!rules.quality.empty()) {
    document.quality_model = std::round(rules.quality.score(clean.text) * 1000.0) / 1000.0;
    if (!out.drop && document.quality_model < recipe.quality_model_min)
      out.drop = Drop{"quality", fmt::format("learned quality {:.3f}, below {:.3f}",
                                             document.quality_model, recipe.quality_model_min)};
  }
  if (!rules.keywords.empty()) look_for_risks(clean.text, rules.keywords, out);
  if (!out.drop) {
    out.text_hash = text_hash(clean.text);
    out.keys = band_keys(clean.text);
    Cut cut = cut_exam_lines(clean.text, rules.exams);
    if (!cut.lines.empty()) {
      document.rules.push_back(fmt::format("exam-lines:{}", cut.lines.size()));
      if (cut.share > recipe.exam_share_max)
        out.drop =
            Drop{"exam", fmt::format("{:.0f} % of the text is exam questions", cut.share * 100)};
      else
        clean.text = std::move(cut.text);
      out.exam_lines = std::move(cut.lines);
    }
  }
  std::string masked = mask_personal_data(clean.text, recipe, out.pii);
  std::map<std::string, PiiCount> in_title;  // a title mostly repeats the text: not counted again
  document.title = mask_personal_data(document.title, recipe, in_title);
  for (const auto& [kind, count] : out.pii)
    if (count.masked > 0) document.rules.push_back(fmt::format("mask:{}:{}", kind, count.masked));
  // Samples show the masked form only: the report must not carry what the corpus may not.
  note_difference(out.repaired ? std::string_view(draft.text) : std::string_view(masked), masked,
                  out);
  document.text = std::move(masked);
  document.source.begin = draft.begin;
  document.source.end = draft.end;
  document.source.pages = take_page_marks(document.text, draft.first_page);
  return out;
}

Outcome unreadable(uint64_t begin, uint64_t end, std::string reason) {
  Outcome out;
  out.document.lang = "und";
  out.document.source.begin = begin;
  out.document.source.end = end;
  out.drop = Drop{"read", std::move(reason)};
  return out;
}

// Smaller files of rows or lines are one piece of work, larger ones several.
constexpr uint64_t kLongFileBytes = uint64_t{8} << 20;

// Is this a file whose leaves are processed by themselves? A ZIP says so in its directory, at its
// end; everything else in its first bytes.
Result<bool> opens(const InputFile& file, FileOutcome& out) {
  {
    PLINTH_TRY(const auto map, MappedFile::open(file.path));
    out.kind = kind_of(file.name, map.text());
    if (!is_container(out.kind) &&
        (file.bytes <= kLongFileBytes || !comes_in_pieces(out.kind, map.text())))
      return false;
  }
  PLINTH_TRY(out.sha256, sha256_file(file.path));
  return true;
}

void finish(std::string_view path, const RefineRecipe& recipe, FileOutcome& out) {
  const SourceLicence* source = source_of(path, recipe);
  std::map<uint64_t, int> seen;  // documents by where they begin
  for (Outcome& outcome : out.outcomes) {
    Document& document = outcome.document;
    document.source.path = path;
    if (source != nullptr) document.source.licence = source->licence;
    if (source == nullptr && recipe.licence_required && !outcome.drop)
      outcome.drop = Drop{"licence", "no entry of the register of sources fits its path"};
    document.source.sha256 = out.sha256;
    document.id = document_id(path, document.source.begin, seen[document.source.begin]++);
    if (document.title.empty()) document.title = title_of(document.text, path);
  }
}

void add_drafts(Result<Drafts> drafts, uint64_t bytes, const Rules& rules, FileOutcome& out) {
  if (!drafts) {
    out.outcomes.push_back(unreadable(0, bytes, std::move(drafts).error().message));
    return;
  }
  for (Draft& draft : drafts->drafts)
    out.outcomes.push_back(process_draft(std::move(draft), rules));
  for (Unreadable& bad : drafts->bad)
    out.outcomes.push_back(unreadable(bad.begin, bad.end, std::move(bad.reason)));
}

}  // namespace

FileOutcome process_file(const InputFile& file, const Rules& rules) {
  const RefineRecipe& recipe = rules.recipe;
  FileOutcome out;
  out.bytes = file.bytes;
  const auto fail = [&](std::string reason) {
    out.outcomes.push_back(unreadable(0, file.bytes, std::move(reason)));
    finish(file.name, recipe, out);
    return std::move(out);
  };
  if (file.bytes == 0) return fail("the file is empty");
  const auto container = opens(file, out);
  if (!container) return fail(container.error().message);
  out.opens = *container;
  if (out.opens) return out;
  if (file.bytes > recipe.file_bytes_max)
    return fail(fmt::format("{} bytes, more than {}", file.bytes, recipe.file_bytes_max));
  const auto bytes = read_file(file.path, recipe.file_bytes_max);
  if (!bytes) return fail(bytes.error().message);
  out.sha256 = sha256_hex(*bytes);
  add_drafts(read_any({file.name, *bytes}, out.kind, recipe), bytes->size(), rules, out);
  finish(file.name, recipe, out);
  return out;
}

FileOutcome process_leaf(const Leaf& leaf, const std::string& sha256, const Rules& rules) {
  FileOutcome out;
  out.kind = leaf.kind;
  out.sha256 = sha256;
  out.bytes = leaf.bytes.size();
  out.leaf = true;
  if (!leaf.error.empty())
    out.outcomes.push_back(unreadable(0, leaf.end - leaf.begin, leaf.error));
  else
    add_drafts(read_any({leaf.path, leaf.bytes, leaf.charset}, leaf.kind, rules.recipe),
               leaf.bytes.size(), rules, out);
  for (Outcome& outcome : out.outcomes) {
    Source& source = outcome.document.source;
    source.url = leaf.url;
    source.begin = leaf.record ? leaf.begin : leaf.begin + source.begin;
    source.end = leaf.record ? leaf.end : leaf.begin + source.end;
  }
  finish(leaf.path, rules.recipe, out);
  return out;
}

}  // namespace plinth::corpus
