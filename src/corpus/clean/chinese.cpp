#include "corpus/clean/chinese.h"

#include <array>
#include <exception>

#include "core/hash.h"
#include <opencc/Config.hpp>
#include <opencc/Conversion.hpp>
#include <opencc/ConversionChain.hpp>
#include <opencc/Converter.hpp>
#include <opencc/DictEntry.hpp>
#include <opencc/DictGroup.hpp>
#include <opencc/Exception.hpp>
#include <opencc/Lexicon.hpp>
#include <opencc/MaxMatchSegmentation.hpp>

namespace plinth::corpus {
namespace {

constexpr auto kNames =
    std::to_array<std::string_view>({"hk2s", "hk2t", "jp2t", "s2hk", "s2t", "s2tw", "s2twp", "t2hk",
                                     "t2jp", "t2s", "t2tw", "tw2s", "tw2sp", "tw2t"});

Error missing(const std::string& name, const char* why) {
  return not_found("OpenCC's configuration {} and its dictionaries (libopencc-data): {}", name,
                   why);
}

// A group asks its dictionaries one after the other: the first that has any entry here decides.
void add_entries(const opencc::DictPtr& dict, uint32_t& rank, PhraseTable& out) {
  if (const auto* group = dynamic_cast<const opencc::DictGroup*>(dict.get())) {
    for (const auto& member : group->GetDicts()) add_entries(member, rank, out);
    return;
  }
  for (const auto& entry : *dict->GetLexicon())
    if (entry->KeyLength() > 0) out.add({entry->Key(), entry->GetDefault(), rank});
  ++rank;
}

PhraseTable table_of(const opencc::DictPtr& dict) {
  PhraseTable out;
  uint32_t rank = 0;
  add_entries(dict, rank, out);
  out.finish();
  return out;
}

void hash_entries(const PhraseTable& table, Sha256& hash) {
  for (const auto& entry : table.entries())
    hash.update(fmt::format("{}\t{}\t{}\n", entry.rank, entry.key, entry.value));
  hash.update("\n");
}

// Calls each(begin, entry) for the longest entries of the table in the text, from the left to the
// right.
template <typename Each>
void for_each_match(const PhraseTable& table, std::string_view text, Each&& each) {
  for (size_t at = table.skip(text, 0); at < text.size(); at = table.skip(text, at)) {
    size_t next = at;
    if (const auto* entry = table.find(text, at, next)) {
      each(at, *entry);
      next = at + entry->key.size();
    }
    at = next;
  }
}

// One stage of the chain.
void apply(const PhraseTable& table, std::string_view text, ChineseConverter::Converted& out) {
  size_t copied = 0;
  for_each_match(table, text, [&](size_t at, const auto& entry) {
    if (entry.value == entry.key) return;
    out.text.append(text, copied, at - copied);
    out.text += entry.value;
    copied = at + entry.key.size();
    ++out.replaced;
  });
  out.text.append(text, copied, text.npos);
}

}  // namespace

std::span<const std::string_view> chinese_conversions() {
  return kNames;
}

Result<ChineseConverter> ChineseConverter::open(const std::string& name) {
  ChineseConverter out;
  PhraseTable words;
  try {
    const auto converter = opencc::Config().NewFromFile(name + ".json");
    const auto* segmentation =
        dynamic_cast<const opencc::MaxMatchSegmentation*>(converter->GetSegmentation().get());
    if (segmentation == nullptr)
      return make_error(Code::kUnimplemented, "OpenCC's {} does not cut texts by maximal matches",
                        name);
    words = table_of(segmentation->GetDict());
    for (const auto& conversion : converter->GetConversionChain()->GetConversions())
      out.stages_.push_back(table_of(conversion->GetDict()));
  } catch (const std::exception& e) {
    return missing(name, e.what());
  } catch (const opencc::Exception& e) {
    return missing(name, e.what());
  }
  Sha256 hash;
  hash_entries(words, hash);
  for (const PhraseTable& stage : out.stages_) hash_entries(stage, hash);
  out.sha256_ = hash.hex();
  for (const auto& entry : words.entries()) {
    Converted made;
    out.convert_run(entry.key, made);
    out.phrases_.add({entry.key, std::move(made.text), entry.rank});
  }
  out.phrases_.finish();
  return out;
}

void ChineseConverter::convert_run(std::string_view run, Converted& out) const {
  if (stages_.size() == 1) return apply(stages_[0], run, out);
  Converted before, after;
  for (size_t i = 0; i < stages_.size(); ++i) {
    after.text.clear();
    apply(stages_[i], i == 0 ? run : std::string_view(before.text), after);
    std::swap(before.text, after.text);
  }
  out.text += before.text;
  out.replaced += after.replaced;
}

ChineseConverter::Converted ChineseConverter::convert(std::string_view text) const {
  if (empty()) return {std::string(text), 0};
  Converted out;
  out.text.reserve(text.size());
  size_t begin = 0;  // of what lies between two phrases
  for_each_match(phrases_, text, [&](size_t at, const auto& phrase) {
    if (at > begin) convert_run(text.substr(begin, at - begin), out);
    out.text += phrase.value;
    out.replaced += phrase.value != phrase.key ? 1 : 0;
    begin = at + phrase.key.size();
  });
  convert_run(text.substr(begin), out);
  return out;
}

}  // namespace plinth::corpus
