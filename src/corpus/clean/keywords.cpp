#include "corpus/clean/keywords.h"

#include <algorithm>

#include "core/config.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr size_t kHead = 3;  // bytes
constexpr size_t kWordsMax = 8;

uint32_t head_of(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]) + 0u; };
  return byte(0) | byte(1) << 8 | byte(2) << 16;
}

size_t bit_of(uint32_t head) {
  return head * 0x9E3779B1u >> 16;
}

}  // namespace

Result<KeywordLibrary> KeywordLibrary::read(const Path& path) {
  PLINTH_TRY(const std::string text, read_file(path, uint64_t{64} << 20));
  return parse(text, path.string());
}

Result<KeywordLibrary> KeywordLibrary::parse(std::string_view toml, std::string_view name) {
  KeywordLibrary out;
  PLINTH_TRY(const Config config, Config::parse(toml, name));
  PLINTH_TRY(const auto tables, config.tables("class"));
  for (const Config& table : tables) {
    RiskClass one;
    PLINTH_TRY(one.id, table.text("id", ""));
    PLINTH_TRY(one.name, table.text("name", ""));
    PLINTH_TRY(const std::string action, table.text("action", "mark"));
    PLINTH_TRY(one.hits_min, table.integer("hits_min", 1, 1, 1'000'000));
    PLINTH_TRY(const auto words, table.texts("words", {}));
    PLINTH_TRY(table.finish());
    if (one.id.empty() || one.id.find_first_of(" :,\n") != one.id.npos)
      return invalid("{}: a class has the id \"{}\": it needs one without blanks and colons", name,
                     one.id);
    if (action != "mark" && action != "drop")
      return invalid("{}: class {}: action \"{}\" is neither mark nor drop", name, one.id, action);
    for (const RiskClass& other : out.classes_)
      if (other.id == one.id) return invalid("{}: two classes have the id {}", name, one.id);
    one.drop = action == "drop";
    out.classes_.push_back(one);
    for (const std::string& word : words)
      PLINTH_TRY(out.add(trim(word), out.classes_.size() - 1, name));
  }
  PLINTH_TRY(config.finish());
  return out;
}

Status KeywordLibrary::add(std::string_view word, size_t risk_class, std::string_view where) {
  if (word.size() < kHead || count_chars(word) < 2)
    return invalid("{}: class {}: the word \"{}\" is too short to mean anything", where,
                   classes_[risk_class].id, word);
  const uint32_t head = head_of(word);
  maybe_[bit_of(head) / 64] |= uint64_t{1} << bit_of(head) % 64;
  by_head_[head].push_back(static_cast<uint32_t>(words_.size()));
  words_.push_back({std::string(word), risk_class});
  return {};
}

std::vector<RiskHit> KeywordLibrary::find(std::string_view text) const {
  std::vector<RiskHit> all(classes_.size());
  for (size_t i = 0; i < all.size(); ++i) all[i].risk_class = i;
  for (size_t at = 0; at + kHead <= text.size(); ++at) {
    if ((static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) continue;
    const uint32_t head = head_of(text.substr(at));
    if ((maybe_[bit_of(head) / 64] >> bit_of(head) % 64 & 1) == 0) continue;
    const auto list = by_head_.find(head);
    if (list == by_head_.end()) continue;
    for (const uint32_t w : list->second) {
      const Word& word = words_[w];
      if (!text.substr(at).starts_with(word.text)) continue;
      RiskHit& hit = all[word.risk_class];
      ++hit.hits;
      if (hit.words.size() < kWordsMax &&
          std::find(hit.words.begin(), hit.words.end(), word.text) == hit.words.end())
        hit.words.push_back(word.text);
    }
  }
  std::erase_if(all,
                [&](const RiskHit& hit) { return hit.hits < classes_[hit.risk_class].hits_min; });
  return all;
}

}  // namespace plinth::corpus
