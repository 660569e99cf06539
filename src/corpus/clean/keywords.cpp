#include "corpus/clean/keywords.h"

#include <algorithm>
#include <array>

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
  for (WordHeads& heads : out.heads_) heads.finish();
  return out;
}

Status KeywordLibrary::add(std::string_view word, size_t risk_class, std::string_view where) {
  if (word.size() < heads_.front().bytes() || count_chars(word) < 2)
    return invalid("{}: class {}: the word \"{}\" is too short to mean anything", where,
                   classes_[risk_class].id, word);
  const auto index = static_cast<uint32_t>(words_.size()),
             group = static_cast<uint32_t>(risk_class);
  const auto table = std::find_if(heads_.rbegin(), heads_.rend(), [&](const WordHeads& heads) {
    return word.size() >= heads.bytes();
  });
  table->add(word, index, group);
  words_.push_back({std::string(word), risk_class});
  return {};
}

// Of long words only the first bytes were compared; of each class the first few words are named.
void KeywordLibrary::note(const WordHeads::Tail& tail, std::string_view rest, RiskHit& hit) const {
  const std::string& word = words_[tail.word].text;
  if (!rest.starts_with(word)) {
    --hit.hits;
  } else if (hit.words.size() < kWordsMax &&
             std::find(hit.words.begin(), hit.words.end(), word) == hit.words.end()) {
    hit.words.push_back(word);
  }
}

void KeywordLibrary::scan(std::string_view text, size_t& at, size_t end,
                          std::vector<RiskHit>& all) const {
  // Blocks of characters. In each first the places where a word may begin, then these: what is
  // counted, not what is jumped over, depends on the text, for half of it may be words.
  constexpr size_t kBlock = 256;

  struct Place {
    size_t at = 0;
    uint64_t hash = 0;
  };

  std::array<std::array<Place, kBlock>, kTables> places;
  // Libraries of Chinese words have none that are short.
  const size_t first_table = heads_[0].empty() ? 1 : 0;
  while (at < end) {
    std::array<size_t, kTables> n{};
    for (size_t i = 0; i < kBlock && at < end; ++i) {
      const uint64_t first = load8(text.data() + at);
      for (size_t t = first_table; t < kTables; ++t) {
        const uint64_t hash = heads_[t].hash(first);
        places[t][n[t]] = {at, hash};
        n[t] += heads_[t].maybe(hash) ? 1 : 0;
      }
      // Text is valid UTF-8: the upper half of the lead byte says how long the character is.
      at += 0x4322'1111'1111'1111u >> (first >> 4 & 0xF) * 4 & 0xF;
    }
    for (size_t t = first_table; t < kTables; ++t) {
      const WordHeads& heads = heads_[t];
      const std::span found_places(places[t].data(), n[t]);
      for (const Place& place : found_places) heads.prefetch(place.hash);
      for (const Place& place : found_places) {
        const std::string_view rest = text.substr(place.at);
        for (const WordHeads::Tail& tail : heads.find(load8(rest.data()), place.hash)) {
          RiskHit& hit = all[tail.group];
          const bool found = (load8(rest.data() + heads.bytes()) & tail.mask) == tail.head &&
                             heads.bytes() + tail.bytes <= rest.size();
          hit.hits += found ? 1 : 0;
          if ((hit.words.size() < kWordsMax || tail.bytes > sizeof(uint64_t)) && found)
            note(tail, rest, hit);
        }
      }
    }
  }
}

std::vector<RiskHit> KeywordLibrary::find(std::string_view text) const {
  std::vector<RiskHit> all(classes_.size());
  for (size_t i = 0; i < all.size(); ++i) all[i].risk_class = i;
  // What is looked at behind a place. The end of the text is copied to where there is so much.
  constexpr size_t kRoom = 16;
  size_t at = 0;
  if (text.size() >= kRoom) scan(text, at, text.size() - kRoom + 1, all);
  std::array<char, 2 * kRoom> end{};
  if (at < text.size()) {
    text.remove_prefix(at);
    std::copy(text.begin(), text.end(), end.begin());
    at = 0;
    scan({end.data(), text.size()}, at, text.size(), all);
  }
  std::erase_if(all,
                [&](const RiskHit& hit) { return hit.hits < classes_[hit.risk_class].hits_min; });
  return all;
}

}  // namespace plinth::corpus
