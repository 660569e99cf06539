#include "corpus/dedup/near.h"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <set>

#include <gtest/gtest.h>

#include "core/rng.h"
#include "corpus/dedup/pair_runs.h"
#include "corpus/dedup/text_profile.h"
#include "corpus/utf8.h"
#include "text/unicode.h"

namespace plinth::corpus {
namespace {

// A text of n random common characters: no two share runs by chance.
std::string random_text(uint64_t seed, int n) {
  Rng rng(seed);
  std::string out;
  for (int i = 0; i < n; ++i)
    text::append_utf8(static_cast<int32_t>(0x4E00 + rng.below(3000)), out);
  return out;
}

// Which text stays in the place of each, -1 where it stays itself; earlier ones are preferred.
struct Found {
  int32_t kept = -1;
  double similarity = 0;
  bool alike = false;
};

std::vector<Found> find(const std::vector<std::string>& texts, uint64_t memory = 1 << 20) {
  const auto temp = TempDirectory::create();
  auto index = NearIndex::create(temp->path(), memory);
  for (size_t i = texts.size(); i-- > 0;)
    EXPECT_TRUE(index->add(static_cast<int32_t>(i), band_keys(texts[i])));
  std::vector<Match> matches(texts.size());
  const NearSource source = {
      [&](int32_t i) -> Result<std::string> { return texts[static_cast<size_t>(i)]; },
      [&](int32_t i) -> uint64_t { return count_chars(texts[static_cast<size_t>(i)]); }};
  EXPECT_TRUE(index->find(source, {}, matches));
  std::vector<Found> out;
  for (const Match& match : matches)
    out.push_back(match.stays() ? Found{-1, 0, match.how == Match::How::kAlike}
                                : Found{match.kept, match.similarity, false});
  return out;
}

TEST(MinHash, KernelEqualsThePlainLoop) {
  std::vector<uint32_t> grams(37);
  std::iota(grams.begin(), grams.end(), 99u);
  alignas(64) std::array<uint32_t, kHashes> all, one;
  min_hashes(grams, all);
  std::array<uint32_t, kHashes> least;
  least.fill(UINT32_MAX);
  for (const uint32_t gram : grams) {
    min_hashes(std::span(&gram, 1), one);
    for (size_t i = 0; i < kHashes; ++i) least[i] = std::min(least[i], one[i]);
  }
  EXPECT_EQ(all, least);
}

TEST(MinHash, AgreementEstimatesJaccard) {
  const std::string a = random_text(1, 2000);
  const std::string b = a.substr(0, a.size() * 9 / 10 / 3 * 3) + random_text(2, 200);
  alignas(64) std::array<uint32_t, kHashes> left, right;
  min_hashes(gram_hashes(a), left);
  min_hashes(gram_hashes(b), right);
  int same = 0;
  for (size_t i = 0; i < kHashes; ++i) same += left[i] == right[i] ? 1 : 0;
  EXPECT_NEAR(same / static_cast<double>(kHashes), exact_jaccard(a, b), 0.12);
}

TEST(Near, EditedCopyIsFoundAndOthersStay) {
  const std::string original = random_text(3, 600);
  const auto matches = find({original, random_text(4, 600), original + "（修订）"});
  EXPECT_EQ(matches[0].kept, -1);
  EXPECT_EQ(matches[1].kept, -1);
  EXPECT_EQ(matches[2].kept, 0);
  EXPECT_GT(matches[2].similarity, 0.95);
}

TEST(Near, ReportsThatDifferInTheirValuesBothStay) {
  const std::string form = random_text(5, 400);
  const std::string one = form + "额定载重825公斤，间隙0.35毫米",
                    other = form + "额定载重650公斤，间隙0.28毫米";
  ASSERT_GT(exact_jaccard(one, other), 0.9);
  EXPECT_EQ(find({one, other})[1].kept, -1);
  EXPECT_TRUE(find({one, other})[1].alike);
  EXPECT_FALSE(find({one, random_text(6, 400)})[1].alike);
  EXPECT_EQ(find({one, one + "。"})[1].kept, 0);
}

TEST(Near, NothingIsDroppedForADroppedOne) {
  // Each is similar to its neighbour, the ends are not similar to each other.
  const std::string base = random_text(6, 1000);
  std::vector<std::string> chain;
  for (size_t i = 0; i < 6; ++i) chain.push_back(base.substr(i * 3 * 70, 3 * 700));
  const auto matches = find(chain);
  for (size_t i = 0; i < chain.size(); ++i) {
    if (matches[i].kept < 0) continue;
    const auto kept = static_cast<size_t>(matches[i].kept);
    EXPECT_EQ(matches[kept].kept, -1);
    EXPECT_GE(exact_jaccard(chain[i], chain[kept]), 0.8);
  }
}

TEST(Near, RecallAtTheThreshold) {
  std::vector<std::string> texts;
  int pairs = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const std::string a = random_text(100 + seed, 500);
    const std::string b = a.substr(0, 3 * 455) + random_text(500 + seed, 45);
    pairs += exact_jaccard(a, b) >= 0.8 ? 1 : 0;
    texts.push_back(a);
    texts.push_back(b);
  }
  const auto matches = find(texts);
  const auto found =
      std::count_if(matches.begin(), matches.end(), [](const Found& m) { return m.kept >= 0; });
  ASSERT_GT(pairs, 40);
  EXPECT_GE(found, pairs * 99 / 100);
}

TEST(Near, TheSameIsFoundWithHardlyAnyMemory) {
  std::vector<std::string> texts;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    texts.push_back(random_text(1000 + seed % 40, 120));
    if (seed % 3 == 0) texts.back() += "又";
  }
  const auto plenty = find(texts), scarce = find(texts, 512);  // several ranges, many runs
  for (size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(plenty[i].kept, scarce[i].kept) << i;
    EXPECT_EQ(plenty[i].similarity, scarce[i].similarity) << i;
  }
}

TEST(PairRuns, GivesEachPairOnceInOrder) {
  const auto temp = TempDirectory::create();
  PairRuns runs(temp->path(), 0);
  std::set<std::pair<int32_t, int32_t>> truth;
  Rng rng(9);
  for (int i = 0; i < 20000; ++i) {
    const auto a = static_cast<int32_t>(rng.below(200));
    const auto b = a + 1 + static_cast<int32_t>(rng.below(60));
    truth.emplace(a, b);
    ASSERT_TRUE(runs.add({a, b}));
  }
  ASSERT_TRUE(runs.begin_reading());
  auto expected = truth.begin();
  for (RankPair pair; *runs.next(pair); ++expected) {
    ASSERT_NE(expected, truth.end());
    EXPECT_EQ(std::pair(pair.a, pair.b), *expected);
  }
  EXPECT_EQ(expected, truth.end());
}

double value_similarity(std::string_view a, std::string_view b) {
  return jaccard(profile_of(a).numbers, profile_of(b).numbers);
}

TEST(TextProfile, ValueSimilarityCountsNumbers) {
  EXPECT_DOUBLE_EQ(value_similarity("无数字", "也没有"), 1.0);
  EXPECT_DOUBLE_EQ(value_similarity("0.35和8", "0.35和9"), 1.0 / 3.0);
  EXPECT_DOUBLE_EQ(value_similarity("3.5", "35"), 0.0);
}

TEST(TextProfile, OfAnyTwoSizesTheSharedPartIsCompared) {
  // Some million characters of which the other one has the first nine tenths, and one that is
  // small.
  const std::string large = random_text(1, 1'000'000);
  const std::string most = large.substr(0, 3 * 900'000), small = large.substr(0, 3 * 100'000);
  const TextProfile a = profile_of(large), b = profile_of(most), c = profile_of(small);
  EXPECT_FALSE(a.whole());
  EXPECT_TRUE(c.whole());
  EXPECT_LE(a.bytes(), profile_bytes_max(1'000'000));
  EXPECT_NEAR(jaccard(a.grams, b.grams), exact_jaccard(large, most), 0.005);
  EXPECT_NEAR(jaccard(a.grams, c.grams), exact_jaccard(large, small), 0.005);
  EXPECT_EQ(jaccard(profile_of(large, true).grams, profile_of(most, true).grams),
            exact_jaccard(large, most));
}

TEST(TextProfile, RepeatsDoNotThinASampleOut) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += random_text(7, 2000);
  EXPECT_TRUE(profile_of(text).whole()) << "600,000 characters, of which 2,000 runs differ";
}

// Large documents are read once each, not once per candidate, and judged as small ones are.
TEST(Near, ManyLargeDocumentsAreReadOnceEach) {
  std::vector<std::string> texts;
  const std::string base = random_text(11, 200'000);
  for (uint64_t i = 0; i < 12; ++i) texts.push_back(base + random_text(20 + i, 2000));
  // Jaccard just above and just below the threshold: only whole texts tell.
  texts.push_back(base.substr(0, 3 * 162'000));
  texts.push_back(base.substr(0, 3 * 160'000));
  const auto temp = TempDirectory::create();
  auto index = NearIndex::create(temp->path(), uint64_t{64} << 20);
  for (size_t i = 0; i < texts.size(); ++i)
    ASSERT_TRUE(index->add(static_cast<int32_t>(i), band_keys(texts[i])));
  std::vector<Match> matches(texts.size());
  std::vector<std::atomic<int>> reads(texts.size());
  const NearSource source = {[&](int32_t i) -> Result<std::string> {
                               ++reads[static_cast<size_t>(i)];
                               return texts[static_cast<size_t>(i)];
                             },
                             [](int32_t) -> uint64_t { return 202'000; }};
  ASSERT_TRUE(index->find(source, {}, matches));
  for (size_t i = 0; i < texts.size(); ++i) {
    const bool goes = i > 0 && exact_jaccard(texts[0], texts[i]) >= 0.8;
    EXPECT_EQ(matches[i].how == Match::How::kNear, goes) << i;
    if (i > 0 && i < 12) {
      EXPECT_EQ(reads[i], 1) << i;
    }
  }
}

}  // namespace
}  // namespace plinth::corpus
