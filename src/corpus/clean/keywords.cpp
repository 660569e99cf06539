#include "corpus/clean/keywords.h"

#include <algorithm>
#include <cstring>

#include "core/config.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr size_t kWordsMax = 8;

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
  out.short_.finish();
  out.long_.finish();
  return out;
}

Status KeywordLibrary::add(std::string_view word, size_t risk_class, std::string_view where) {
  if (word.size() < short_.bytes() || count_chars(word) < 2)
    return invalid("{}: class {}: the word \"{}\" is too short to mean anything", where,
                   classes_[risk_class].id, word);
  const bool is_short = word.size() < long_.bytes();
  any_short_ = any_short_ || is_short;
  (is_short ? short_ : long_).add(word, static_cast<uint32_t>(words_.size()));
  words_.push_back({std::string(word), risk_class});
  return {};
}

uint64_t KeywordLibrary::Heads::key_of(std::string_view text) const {
  uint64_t key = 0;
  if (text.size() >= sizeof key)
    std::memcpy(&key, text.data(), sizeof key);  // one load; the bytes beyond are masked out
  else
    std::memcpy(&key, text.data(), bytes_);
  return key & ((uint64_t{1} << 8 * bytes_) - 1);
}

void KeywordLibrary::Heads::add(std::string_view word, uint32_t index) {
  const uint64_t key = key_of(word);
  maybe_[bit_of(key) / 64] |= uint64_t{1} << bit_of(key) % 64;
  added_.emplace_back(key, index);
}

void KeywordLibrary::Heads::finish() {
  std::sort(added_.begin(), added_.end());
  size_t size = 4;
  while (size < added_.size() * 4) size *= 2;
  slots_.assign(size, {});
  for (size_t from = 0; from < added_.size();) {
    Slot slot{added_[from].first, static_cast<uint32_t>(from), 0};
    size_t to = from;
    for (; to < added_.size() && added_[to].first == slot.key; ++to)
      words_.push_back(added_[to].second);
    slot.end = static_cast<uint32_t>(to);
    size_t at = mixed(slot.key) >> 20;
    while (slots_[at & (size - 1)].end != 0) ++at;
    slots_[at & (size - 1)] = slot;
    from = to;
  }
  added_ = {};
}

std::span<const uint32_t> KeywordLibrary::Heads::find(std::string_view text) const {
  if (text.size() < bytes_) return {};
  const uint64_t key = key_of(text);
  if ((maybe_[bit_of(key) / 64] >> bit_of(key) % 64 & 1) == 0) return {};
  for (size_t at = mixed(key) >> 20;; ++at) {
    const Slot& slot = slots_[at & (slots_.size() - 1)];
    if (slot.end == 0) return {};
    if (slot.key == key) return std::span(words_).subspan(slot.begin, slot.end - slot.begin);
  }
}

std::vector<RiskHit> KeywordLibrary::find(std::string_view text) const {
  std::vector<RiskHit> all(classes_.size());
  for (size_t i = 0; i < all.size(); ++i) all[i].risk_class = i;
  const auto look = [&](uint32_t index, std::string_view rest) {
    const Word& word = words_[index];
    if (!rest.starts_with(word.text)) return;
    RiskHit& hit = all[word.risk_class];
    ++hit.hits;
    if (hit.words.size() < kWordsMax &&
        std::find(hit.words.begin(), hit.words.end(), word.text) == hit.words.end())
      hit.words.push_back(word.text);
  };
  for (size_t next = 0, at = 0; at + short_.bytes() <= text.size(); at = next) {
    const auto lead = static_cast<unsigned char>(text[at]);
    // Text is valid UTF-8: the lead byte says how long the character is.
    next = at + (lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4);
    if ((lead & 0xC0) == 0x80) continue;
    const std::string_view rest = text.substr(at);
    auto long_words = long_.find(rest);
    auto short_words = any_short_ ? short_.find(rest) : std::span<const uint32_t>();
    // In the order of the library, whichever table they are in.
    while (!long_words.empty() || !short_words.empty()) {
      const bool is_short =
          long_words.empty() || (!short_words.empty() && short_words[0] < long_words[0]);
      auto& list = is_short ? short_words : long_words;
      look(list[0], rest);
      list = list.subspan(1);
    }
  }
  std::erase_if(all,
                [&](const RiskHit& hit) { return hit.hits < classes_[hit.risk_class].hits_min; });
  return all;
}

}  // namespace plinth::corpus
