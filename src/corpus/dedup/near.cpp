#include "corpus/dedup/near.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "core/interrupt.h"
#include "core/threads.h"
#include "corpus/dedup/pair_runs.h"

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

void meet(std::span<const BandEntry> bucket, const std::function<void(RankPair)>& body) {
  for (size_t i = 0; i < bucket.size(); ++i)
    for (size_t k = i + 1; k < bucket.size() && (i < kMeetsMax || k == i + 1); ++k)
      body({bucket[i].rank, bucket[k].rank});
}

std::vector<std::string> numbers_of(std::string_view text) {
  const auto digit = [&](size_t i) { return i < text.size() && text[i] >= '0' && text[i] <= '9'; };
  std::vector<std::string> out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!digit(i)) continue;
    size_t end = i;
    while (digit(end) || (end > i && end < text.size() && text[end] == '.' && digit(end + 1)))
      ++end;
    out.emplace_back(text.substr(i, end - i));
    i = end;
  }
  std::sort(out.begin(), out.end());
  return out;
}

struct Verdict {
  double jaccard = 0;  // 0: not alike
  bool same_values = false;
};

Verdict compare(std::string_view a, std::string_view b, const NearOptions& options) {
  const double j = exact_jaccard(a, b);
  if (j < options.jaccard) return {};
  return {j, value_similarity(a, b) >= options.value_jaccard};
}

}  // namespace

bool near_duplicates(std::string_view a, std::string_view b, const NearOptions& options) {
  const BandKeys left = band_keys(a), right = band_keys(b);
  for (size_t band = 0; band < kBands; ++band)
    if (left[band] == right[band]) return compare(a, b, options).same_values;
  return false;
}

double value_similarity(std::string_view a, std::string_view b) {
  const auto left = numbers_of(a), right = numbers_of(b);
  std::vector<std::string> both;
  std::set_intersection(left.begin(), left.end(), right.begin(), right.end(),
                        std::back_inserter(both));
  const size_t either = left.size() + right.size() - both.size();
  return either == 0 ? 1.0 : static_cast<double>(both.size()) / static_cast<double>(either);
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
  const uint64_t fit = std::max<uint64_t>(1, memory_bytes_ / 4 / sizeof(BandEntry));
  // Twice as many ranges as would do: hashes are even, but not perfectly.
  const uint64_t ranges = documents_ <= fit ? 1 : documents_ / fit * 2 + 2;
  const uint64_t width = ranges == 1 ? UINT64_MAX : UINT64_MAX / ranges + 1;
  std::vector<BandEntry> entries;
  for (uint64_t range = 0; range < ranges; ++range) {
    PLINTH_TRY(check_interrupted());
    entries.clear();
    for (size_t at = 0; at + kBandBytes <= raw.size(); at += kBandBytes) {
      BandEntry entry;
      std::memcpy(&entry.key, raw.data() + at, sizeof(uint64_t));
      if (ranges > 1 && entry.key / width != range) continue;
      std::memcpy(&entry.rank, raw.data() + at + sizeof(uint64_t), sizeof entry.rank);
      entries.push_back(entry);
    }
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

Status NearIndex::find(const std::function<Result<std::string>(int32_t rank)>& text,
                       const NearOptions& options, std::span<Match> matches,
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
  for (bool more = true; more;) {
    PLINTH_TRY(check_interrupted());
    chunk.clear();
    for (RankPair pair; chunk.size() < kChunk;) {
      PLINTH_TRY(more, pairs.next(pair));
      if (!more) break;
      if (stays(pair.a)) chunk.push_back(pair);
    }
    // Of a pair's better document: the pairs of the best come first.
    if (progress && !chunk.empty())
      progress(0.5 + 0.5 * chunk.front().a / static_cast<double>(matches.size()));
    verdicts.assign(chunk.size(), {});
    std::vector<std::optional<Error>> errors(static_cast<size_t>(compute_pool().threads()));
    compute_pool().parallel_for(
        static_cast<int64_t>(chunk.size()), 4, [&](int64_t begin, int64_t end, int worker) {
          std::optional<Result<std::string>> a;
          for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
            if (!a || chunk[i].a != chunk[i - 1].a) a = text(chunk[i].a);
            const auto b = text(chunk[i].b);
            if (*a && b)
              verdicts[i] = compare(**a, *b, options);
            else
              errors[static_cast<size_t>(worker)] = *a ? b.error() : a->error();
          }
        });
    for (const auto& error : errors)
      if (error) return *error;
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
