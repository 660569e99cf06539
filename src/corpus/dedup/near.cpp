#include "corpus/dedup/near.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <set>

#include "core/interrupt.h"
#include "core/threads.h"
#include "corpus/dedup/pair_runs.h"
#include "corpus/dedup/text_profile.h"

namespace plinth::corpus {
namespace {

// In a crowded bucket each document meets only the best few: they are the ones that would stay.
constexpr size_t kMeetsMax = 24;
// Pairs that are verified together.
constexpr size_t kChunk = 4096;

struct BandEntry {
  uint64_t key = 0;
  int32_t rank = 0;
  auto operator<=>(const BandEntry&) const = default;
};

constexpr size_t kBandBytes = sizeof(uint64_t) + sizeof(int32_t);  // in a file

// Which keys may occur more than once. Of most texts none does, and telling that by two bits is
// cheaper than sorting them.
class Repeats {
 public:
  static constexpr size_t kBytesPerKey = 8;  // at most

  explicit Repeats(uint64_t keys) : mask_(std::bit_ceil(16 * std::max<uint64_t>(keys, 4)) - 1) {
    once_.resize(mask_ + 1);
    again_.resize(mask_ + 1);
  }

  // Keys are hashes: their lower bits are as good as any.
  void add(uint64_t key) {
    const uint64_t at = key & mask_;
    if (once_[at])
      again_[at] = true;
    else
      once_[at] = true;
  }

  bool may_repeat(uint64_t key) const { return again_[key & mask_]; }

 private:
  uint64_t mask_;
  std::vector<bool> once_, again_;
};

void meet(std::span<const BandEntry> bucket, const std::function<void(RankPair)>& body) {
  for (size_t i = 0; i < bucket.size(); ++i)
    for (size_t k = i + 1; k < bucket.size() && (i < kMeetsMax || k == i + 1); ++k)
      body({bucket[i].rank, bucket[k].rank});
}

struct Verdict {
  double jaccard = 0;  // 0: not alike
  bool same_values = false;
};

Verdict judge(double grams, double numbers, const NearOptions& options) {
  if (grams < options.jaccard) return {};
  return {grams, numbers >= options.value_jaccard};
}

// How far from a threshold a sample decides: five standard errors and more.
constexpr double kGramsMargin = 0.01;
constexpr double kNumbersMargin = 0.03;

// Nothing where samples are too near to a threshold to tell.
std::optional<Verdict> compare(const TextProfile& a, const TextProfile& b,
                               const NearOptions& options) {
  const double grams = jaccard(a.grams, b.grams), numbers = jaccard(a.numbers, b.numbers);
  if (!a.whole() || !b.whole()) {
    const bool close = std::abs(grams - options.jaccard) < kGramsMargin ||
                       std::abs(numbers - options.value_jaccard) < kNumbersMargin;
    if (close) return {};
  }
  return judge(grams, numbers, options);
}

Verdict compare_whole(std::string_view a, std::string_view b, const NearOptions& options) {
  const TextProfile left = profile_of(a, true), right = profile_of(b, true);
  return judge(jaccard(left.grams, right.grams), jaccard(left.numbers, right.numbers), options);
}

template <typename Body>
Status each_in_parallel(size_t n, Body&& body) {
  std::vector<std::optional<Error>> errors(static_cast<size_t>(compute_pool().threads()));
  compute_pool().parallel_for(static_cast<int64_t>(n), 4,
                              [&](int64_t begin, int64_t end, int worker) {
                                for (auto i = begin; i < end; ++i)
                                  if (const Status status = body(static_cast<size_t>(i)); !status)
                                    errors[static_cast<size_t>(worker)] = status.error();
                              });
  for (const auto& error : errors)
    if (error) return *error;
  return {};
}

// Profiles of documents that pairs at work ask for, kept for those to come while there is room.
class Profiles {
 public:
  Profiles(const NearSource& source, uint64_t bytes_max) : source_(source), bytes_max_(bytes_max) {}

  // Takes a pair into the next batch, unless that would be more than there is room for.
  bool reserve(RankPair pair) {
    uint64_t more = 0;
    for (const int32_t rank : {pair.a, pair.b})
      if (!wanted_.contains(rank)) more += profile_bytes_max(source_.chars(rank));
    if (!wanted_.empty() && reserved_ + more > bytes_max_) return false;
    reserved_ += more;
    wanted_.insert({pair.a, pair.b});
    return true;
  }

  // Reads what the batch wants and is not there; the batch is over.
  Status load() {
    if (held_ + reserved_ > bytes_max_) {
      std::erase_if(profiles_, [&](const auto& one) { return !wanted_.contains(one.first); });
      held_ = 0;
      for (const auto& [rank, profile] : profiles_) held_ += profile.bytes();
    }
    std::vector<std::pair<int32_t, TextProfile*>> missing;
    for (const int32_t rank : wanted_)
      if (const auto [it, fresh] = profiles_.try_emplace(rank); fresh)
        missing.emplace_back(rank, &it->second);
    PLINTH_TRY(each_in_parallel(missing.size(), [&](size_t i) -> Status {
      PLINTH_TRY(const std::string text, source_.text(missing[i].first));
      *missing[i].second = profile_of(text);
      return {};
    }));
    for (const auto& [rank, profile] : missing) held_ += profile->bytes();
    wanted_.clear();
    reserved_ = 0;
    return {};
  }

  const TextProfile& operator[](int32_t rank) const { return profiles_.at(rank); }

 private:
  const NearSource& source_;
  uint64_t bytes_max_;
  uint64_t held_ = 0;
  uint64_t reserved_ = 0;
  std::set<int32_t> wanted_;
  std::map<int32_t, TextProfile> profiles_;
};

}  // namespace

bool near_duplicates(std::string_view a, std::string_view b, const NearOptions& options) {
  const BandKeys left = band_keys(a), right = band_keys(b);
  for (size_t band = 0; band < kBands; ++band)
    if (left[band] == right[band]) {
      const auto verdict = compare(profile_of(a), profile_of(b), options);
      return (verdict ? *verdict : compare_whole(a, b, options)).same_values;
    }
  return false;
}

Result<NearIndex> NearIndex::create(const Path& folder, uint64_t memory_bytes) {
  NearIndex index(folder, memory_bytes);
  for (size_t band = 0; band < kBands; ++band) {
    PLINTH_TRY(auto file, OutputFile::create(index.band_path(band)));
    index.files_.push_back(std::move(file));
  }
  return index;
}

Path NearIndex::band_path(size_t band) const {
  return folder_ / fmt::format("band-{:02}", band);
}

Status NearIndex::add(int32_t rank, const BandKeys& keys) {
  ++documents_;
  for (size_t band = 0; band < kBands; ++band) {
    char raw[kBandBytes];
    std::memcpy(raw, &keys[band], sizeof(uint64_t));
    std::memcpy(raw + sizeof(uint64_t), &rank, sizeof rank);
    PLINTH_TRY(files_[band].write({raw, sizeof raw}));
  }
  return {};
}

// A band that is larger than memory is gone through several times, each time for the keys of one
// range: reading twice is cheaper than sorting in files.
Status NearIndex::candidates(size_t band, PairRuns& pairs) const {
  PLINTH_TRY(const auto map, MappedFile::open(band_path(band)));
  const std::string_view raw = map.text();
  const uint64_t fit =
      std::max<uint64_t>(1, memory_bytes_ / 4 / (sizeof(BandEntry) + Repeats::kBytesPerKey));
  // Twice as many ranges as would do: hashes are even, but not perfectly.
  const uint64_t ranges = documents_ <= fit ? 1 : documents_ / fit * 2 + 2;
  const uint64_t width = ranges == 1 ? UINT64_MAX : UINT64_MAX / ranges + 1;
  std::vector<BandEntry> entries;
  for (uint64_t range = 0; range < ranges; ++range) {
    PLINTH_TRY(check_interrupted());
    const auto each = [&](const auto& body) {
      for (size_t at = 0; at + kBandBytes <= raw.size(); at += kBandBytes) {
        BandEntry entry;
        std::memcpy(&entry.key, raw.data() + at, sizeof(uint64_t));
        if (ranges > 1 && entry.key / width != range) continue;
        std::memcpy(&entry.rank, raw.data() + at + sizeof(uint64_t), sizeof entry.rank);
        body(entry);
      }
    };
    Repeats repeats(documents_ / ranges);
    each([&](const BandEntry& entry) { repeats.add(entry.key); });
    entries.clear();
    each([&](const BandEntry& entry) {
      if (repeats.may_repeat(entry.key)) entries.push_back(entry);
    });
    std::sort(entries.begin(), entries.end());
    Status status;
    for (size_t from = 0; from < entries.size();) {
      size_t to = from;
      while (to < entries.size() && entries[to].key == entries[from].key) ++to;
      meet(std::span(entries).subspan(from, to - from), [&](RankPair pair) {
        if (status) status = pairs.add(pair);
      });
      PLINTH_TRY(status);
      from = to;
    }
  }
  return {};
}

Status NearIndex::find(const NearSource& source, const NearOptions& options,
                       std::span<Match> matches,
                       const std::function<void(double share)>& progress) {
  for (OutputFile& file : files_) PLINTH_TRY(file.close());
  PairRuns pairs(folder_, memory_bytes_ / 4);
  for (size_t band = 0; band < kBands; ++band) {
    PLINTH_TRY(candidates(band, pairs));
    PLINTH_TRY(pairs.compact());
    PLINTH_TRY(remove_tree(band_path(band)));
    if (progress) progress(static_cast<double>(band + 1) / kBands / 2);
  }
  PLINTH_TRY(pairs.begin_reading());
  // Pairs come sorted by (a, b) and a < b: when a pair is judged, a's fate is settled. Of a chunk
  // only the pairs whose a may stay need be verified.
  const auto stays = [&](int32_t rank) { return matches[static_cast<size_t>(rank)].stays(); };
  std::vector<RankPair> chunk;
  std::vector<Verdict> verdicts;
  Profiles profiles(source, memory_bytes_ / 4);
  std::optional<RankPair> waiting;
  for (bool more = true; more || waiting;) {
    PLINTH_TRY(check_interrupted());
    chunk.clear();
    while (chunk.size() < kChunk) {
      if (!waiting) {
        RankPair next;
        PLINTH_TRY(more, pairs.next(next));
        if (!more) break;
        if (!stays(next.a)) continue;
        waiting = next;
      }
      if (!profiles.reserve(*waiting)) break;
      chunk.push_back(*waiting);
      waiting.reset();
    }
    // Of a pair's better document: the pairs of the best come first.
    if (progress && !chunk.empty())
      progress(0.5 + 0.5 * chunk.front().a / static_cast<double>(matches.size()));
    PLINTH_TRY(profiles.load());
    verdicts.assign(chunk.size(), {});
    PLINTH_TRY(each_in_parallel(chunk.size(), [&](size_t i) -> Status {
      const auto [a, b] = chunk[i];
      if (const auto verdict = compare(profiles[a], profiles[b], options)) {
        verdicts[i] = *verdict;
        return {};
      }
      PLINTH_TRY(const std::string left, source.text(a));
      PLINTH_TRY(const std::string right, source.text(b));
      verdicts[i] = compare_whole(left, right, options);
      return {};
    }));
    for (size_t i = 0; i < chunk.size(); ++i) {
      Match& match = matches[static_cast<size_t>(chunk[i].b)];
      const Verdict& verdict = verdicts[i];
      if (verdict.jaccard == 0 || !stays(chunk[i].a)) continue;
      if (!verdict.same_values) {
        if (match.how == Match::How::kStays) match.how = Match::How::kAlike;
      } else if (match.stays() || verdict.jaccard > match.similarity) {
        match = {verdict.jaccard, chunk[i].a, Match::How::kNear};
      }
    }
  }
  return {};
}

}  // namespace plinth::corpus
