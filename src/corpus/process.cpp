#include "corpus/process.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

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

constexpr size_t kSampleChars = 160;

// From `begin` to the end of the line, cut short.
std::string line_from(std::string_view text, size_t begin) {
  return std::string(
      prefix_chars(text.substr(begin, text.find('\n', begin) - begin), kSampleChars));
}

// The first line that differs, both ways; nothing when none does.
void note_difference(std::string_view before, std::string_view after, Effect& effect) {
  size_t from = 0;
  while (from < before.size() && from < after.size() && before[from] == after[from]) ++from;
  if (from == before.size() && from == after.size()) return;
  // Both share all before it, and so where its line begins.
  constexpr size_t kBytesBefore = 120;
  size_t start = from == 0 ? 0 : before.rfind('\n', from - 1) + 1;
  if (from - start > kBytesBefore) {
    start = from - kBytesBefore;
    while (start < from && (static_cast<unsigned char>(before[start]) & 0xC0) == 0x80) ++start;
  }
  effect.before = line_from(before, start);
  effect.after = line_from(after, start);
}

bool is_free_of_personal_data(std::string_view line) {
  return find_personal_data(line).empty();
}

// What only a dry run asks for: the rules of the reader, and lines before and after.
void explain(const Draft& draft, const CleanText& clean, Outcome& out) {
  for (const std::string& rule : out.document.rules) {
    // "html:boilerplate:7" is the same rule for any number.
    const size_t number = rule.find_last_not_of("0123456789");
    const bool counted = number + 1 < rule.size() && rule[number] == ':';
    out.effects.push_back({counted ? rule.substr(0, number) : rule, 0, {}, {}});
  }
  if (!clean.normalised || clean.repaired) return;
  Effect effect{"normalise", 0, {}, {}};
  effect.chars = out.chars - static_cast<int64_t>(count_chars(clean.text));
  note_difference(draft.text, clean.text, effect);
  if (!is_free_of_personal_data(effect.before) || !is_free_of_personal_data(effect.after))
    effect.before = effect.after = {};  // the rules that mask show theirs
  out.effects.push_back(std::move(effect));
}

// A line with a value of each kind that is masked, both ways.
void explain_masks(std::string_view text, const RefineRecipe& recipe, Outcome& out) {
  std::map<std::string_view, size_t> first;
  for (const PiiHit& hit : find_personal_data(text))
    if (!hit.near_miss) first.emplace(hit.kind, hit.begin);
  for (Effect& effect : out.effects) {
    if (!effect.rule.starts_with("mask:")) continue;
    const auto at = first.find(std::string_view(effect.rule).substr(5));
    if (at == first.end()) continue;
    effect.before = line_from(text, at->second == 0 ? 0 : text.rfind('\n', at->second - 1) + 1);
    std::map<std::string, PiiCount> unused;
    effect.after = mask_personal_data(effect.before, recipe, unused);
  }
}

// Text and title by the recipe's OpenCC configuration.
void convert_chinese(const Rules& rules, std::string& text, Outcome& out) {
  out.document.title = rules.chinese.convert(out.document.title).text;
  auto made = rules.chinese.convert(text);
  if (made.replaced == 0) return;
  const std::string rule = "opencc:" + rules.recipe.opencc;
  out.document.rules.push_back(fmt::format("{}:{}", rule, made.replaced));
  Effect effect{rule, made.replaced, {}, {}};
  if (rules.explain) {
    note_difference(text, made.text, effect);
    if (!is_free_of_personal_data(effect.before)) effect.before = effect.after = {};
  }
  out.effects.push_back(std::move(effect));
  text = std::move(made.text);
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

Outcome process_draft(Draft draft, const Rules& rules, const Limits& limits) {
  const RefineRecipe& recipe = rules.recipe;
  Outcome out;
  out.chars = static_cast<int64_t>(count_chars(draft.text));
  out.blocks_removed = draft.blocks_removed;
  CleanText clean = clean_text(draft.text);
  out.repaired = clean.repaired;
  out.normalised = clean.normalised;
  Document& document = out.document;
  document.rules = std::move(draft.rules);
  if (rules.explain) explain(draft, clean, out);
  if (clean.repaired) document.rules.emplace_back("mojibake");
  document.title = std::string(trim(clean_text(draft.title).text));
  if (!rules.chinese.empty()) convert_chinese(rules, clean.text, out);

  const TextStats stats = measure(clean.text);
  document.lang = std::string(language_of(stats));
  Judged judged = judge(clean.text, stats, limits);
  document.quality = judged.quality;
  document.doubt = judged.doubt;
  document.doubts = std::move(judged.doubts);
  out.chars_min = static_cast<uint32_t>(limit_of("chars_min", limits));
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
      Effect effect{"exam-lines", 0, std::string(prefix_chars(cut.lines[0], kSampleChars)), {}};
      for (const std::string& line : cut.lines)
        effect.chars += static_cast<int64_t>(count_chars(line));
      out.effects.push_back(std::move(effect));
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
  for (const auto& [kind, count] : out.pii) {
    if (count.masked == 0) continue;
    document.rules.push_back(fmt::format("mask:{}:{}", kind, count.masked));
    out.effects.push_back({"mask:" + kind, count.chars, {}, {}});
  }
  if (rules.explain) explain_masks(clean.text, recipe, out);
  if (out.repaired) {
    // The sample is of the masked form: the report must not carry what the corpus may not.
    Effect effect{"mojibake", static_cast<int64_t>(count_chars(masked)), {}, {}};
    note_difference(draft.text, masked, effect);
    out.effects.push_back(std::move(effect));
  }
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

// Is this a file of rows or lines that is taken in several pieces of work? Each row is a document,
// with facts of its own, and a window of the read stage holds hundreds of files.
bool is_long(Kind kind, std::string_view bytes, const RefineRecipe& recipe) {
  constexpr uint64_t kTextBytes = uint64_t{8} << 20, kRowsBytes = uint64_t{1} << 20;
  constexpr int64_t kRows = 1024;
  if (!comes_in_pieces(kind, bytes)) return false;
  if (bytes.size() >
      std::min(kind == Kind::kJsonl ? kRowsBytes : kTextBytes, recipe.file_bytes_max))
    return true;
  return kind == Kind::kJsonl && std::count(bytes.begin(), bytes.end(), '\n') > kRows;
}

// Is this a file whose leaves are processed by themselves? A ZIP says so in its directory, at its
// end; everything else in its first bytes.
Result<bool> opens(const InputFile& file, const Rules& rules, FileOutcome& out) {
  {
    PLINTH_TRY(const auto map, MappedFile::open(file.path));
    out.kind = kind_of(file.name, map.text());
    if (!is_container(out.kind) && !is_long(out.kind, map.text(), rules.recipe)) return false;
  }
  if (rules.explain) return true;  // a sample may need but the beginning of the file
  PLINTH_TRY(out.sha256, sha256_file(file.path));
  return true;
}

// Gives the outcomes of one file what they have of it and hands them on.
class Finisher {
 public:
  Finisher(std::string_view path, const FileOutcome& file, const Rules& rules,
           const OutcomeSink& sink)
      : path_(path), file_(file), rules_(rules), sink_(sink), source_(rules.source_of(path)) {}

  void take(Outcome&& outcome) {
    Document& document = outcome.document;
    document.source.path = path_;
    if (source_ != nullptr) document.source.licence = source_->licence;
    if (source_ == nullptr && rules_.recipe.licence_required && !outcome.drop)
      outcome.drop = Drop{"licence", "no entry of the register of sources fits its path"};
    document.source.sha256 = file_.sha256;
    const uint64_t begin = document.source.begin;
    document.id = document_id(path_, begin, seen_[begin]++);
    if (document.title.empty()) document.title = title_of(document.text, path_);
    sink_(file_, std::move(outcome));
  }

  const Limits& limits() const { return rules_.limits_of(source_); }

 private:
  std::string_view path_;
  const FileOutcome& file_;
  const Rules& rules_;
  const OutcomeSink& sink_;
  const SourceLicence* source_;
  std::unordered_map<uint64_t, int> seen_;  // documents by where they begin
};

// Calls take(Outcome&&) for each draft, then for each part that could not be read.
template <typename Take>
void process_drafts(Result<Drafts> drafts, uint64_t bytes, const Rules& rules, const Limits& limits,
                    const Take& take) {
  if (!drafts) return take(unreadable(0, bytes, std::move(drafts).error().message));
  for (Draft& draft : drafts->drafts) take(process_draft(std::move(draft), rules, limits));
  for (Unreadable& bad : drafts->bad) take(unreadable(bad.begin, bad.end, std::move(bad.reason)));
}

}  // namespace

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

FileOutcome process_file(const InputFile& file, const Rules& rules, const OutcomeSink& sink) {
  const RefineRecipe& recipe = rules.recipe;
  FileOutcome out;
  out.bytes = file.bytes;
  Finisher finisher(file.name, out, rules, sink);
  const auto fail = [&](std::string reason) {
    finisher.take(unreadable(0, file.bytes, std::move(reason)));
    return out;
  };
  if (!file.error.empty()) return fail(file.error);
  if (file.bytes == 0) return fail("the file is empty");
  const auto container = opens(file, rules, out);
  if (!container) return fail(container.error().message);
  out.opens = *container;
  if (out.opens) return out;
  if (file.bytes > recipe.file_bytes_max)
    return fail(fmt::format("{} bytes, more than {}", file.bytes, recipe.file_bytes_max));
  const auto bytes = read_file(file.path, recipe.file_bytes_max);
  if (!bytes) return fail(bytes.error().message);
  out.sha256 = sha256_hex(*bytes);
  process_drafts(read_any({file.name, *bytes}, out.kind, recipe), bytes->size(), rules,
                 finisher.limits(), [&](Outcome&& one) { finisher.take(std::move(one)); });
  return out;
}

FileOutcome process_leaf(const Leaf& leaf, const std::string& sha256, const Rules& rules,
                         const OutcomeSink& sink) {
  FileOutcome out;
  out.kind = leaf.kind;
  out.sha256 = sha256;
  out.bytes = leaf.bytes.size();
  out.leaf = true;
  out.continues = !leaf.record && leaf.begin > 0;
  Finisher finisher(leaf.path, out, rules, sink);
  const auto take = [&](Outcome&& outcome) {
    Source& source = outcome.document.source;
    source.url = leaf.url;
    source.begin = leaf.record ? leaf.begin : leaf.begin + source.begin;
    source.end = leaf.record ? leaf.end : leaf.begin + source.end;
    finisher.take(std::move(outcome));
  };
  if (!leaf.error.empty())
    take(unreadable(0, leaf.end - leaf.begin, leaf.error));
  else
    process_drafts(read_any({leaf.path, leaf.bytes, leaf.charset}, leaf.kind, rules.recipe),
                   leaf.bytes.size(), rules, finisher.limits(), take);
  return out;
}

FileOutcome process_leaf(const Leaf& leaf, const std::string& sha256, const Rules& rules) {
  std::vector<Outcome> outcomes;
  FileOutcome out = process_leaf(leaf, sha256, rules, [&](const FileOutcome&, Outcome&& one) {
    outcomes.push_back(std::move(one));
  });
  out.outcomes = std::move(outcomes);
  return out;
}

}  // namespace plinth::corpus
