#include <atomic>
#include <filesystem>
#include <numeric>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/bytes.h"
#include "core/clock.h"
#include "core/config.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/json.h"
#include "core/metrics.h"
#include "core/result.h"
#include "core/rng.h"
#include "core/stand_back.h"
#include "core/threads.h"

namespace plinth {
namespace {

using testing::HasSubstr;

Result<int> half(int n) {
  if (n % 2 != 0) return invalid("{} is odd", n);
  return n / 2;
}

Result<int> quarter(int n) {
  PLINTH_TRY(const int h, half(n));
  PLINTH_TRY(half(h));
  return h / 2;
}

TEST(Result, TryPassesValuesOnAndErrorsUp) {
  EXPECT_EQ(*quarter(8), 2);
  const auto odd = quarter(6);
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().code, Code::kInvalidArgument);
  EXPECT_EQ(odd.error().message, "3 is odd");
}

TEST(File, AtomicWriteReplacesAndLeavesNoTemporary) {
  auto folder = TempDirectory::create();
  ASSERT_TRUE(folder);
  const Path path = folder->path() / "a";
  ASSERT_TRUE(write_file_atomic(path, "one"));
  ASSERT_TRUE(write_file_atomic(path, "two"));
  EXPECT_EQ(*read_file(path), "two");
  const auto entries = std::distance(std::filesystem::directory_iterator(folder->path()),
                                     std::filesystem::directory_iterator());
  EXPECT_EQ(entries, 1);
}

TEST(File, ErrorsNameThePath) {
  const auto missing = read_file("/no/such/file");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("/no/such/file"));
  EXPECT_FALSE(write_file_atomic("/no/such/folder/file", "x"));
  // A full disk as the kernel tells it.
  auto full = OutputFile::create("/dev/full");
  ASSERT_TRUE(full);
  ASSERT_TRUE(full->write("x"));
  const Status flushed = full->flush();
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().code, Code::kResourceExhausted);
}

TEST(File, ReadRefusesMoreThanTheLimit) {
  auto folder = TempDirectory::create();
  const Path path = folder->path() / "a";
  ASSERT_TRUE(write_file_atomic(path, std::string(100, 'x')));
  const auto text = read_file(path, 99);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, Code::kResourceExhausted);
}

TEST(File, MapShowsTheBytes) {
  auto folder = TempDirectory::create();
  const Path path = folder->path() / "a";
  ASSERT_TRUE(write_file_atomic(path, "mapped"));
  auto map = MappedFile::open(path);
  ASSERT_TRUE(map);
  const MappedFile moved = std::move(*map);
  EXPECT_EQ(moved.text(), "mapped");
  ASSERT_TRUE(write_file_atomic(path, ""));
  EXPECT_EQ(MappedFile::open(path)->text(), "");
}

TEST(FileLock, SecondTakerIsRefusedUntilTheFirstLetsGo) {
  auto folder = TempDirectory::create();
  const Path path = folder->path() / "lock";
  {
    auto first = FileLock::take(path);
    ASSERT_TRUE(first);
    EXPECT_FALSE(FileLock::take(path));
  }
  EXPECT_TRUE(FileLock::take(path));
}

TEST(ThreadPool, CoversEveryIndexOnceForAnyThreadCount) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    for (const int64_t n : {0, 1, 7, 64, 1000}) {
      std::vector<std::atomic<int>> hits(static_cast<size_t>(n));
      pool.parallel_for(n, 3, [&](int64_t begin, int64_t end, int worker) {
        EXPECT_GE(worker, 0);
        EXPECT_LT(worker, threads);
        for (int64_t i = begin; i < end; ++i) hits[static_cast<size_t>(i)]++;
      });
      for (const auto& hit : hits) EXPECT_EQ(hit.load(), 1);
    }
  }
}

TEST(ThreadPool, TakesLoopsFromSeveralThreadsAndFromInsideLoops) {
  ThreadPool pool(3);
  std::atomic<int64_t> sum{0};
  std::vector<std::jthread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        pool.parallel_for(8, 1, [&](int64_t begin, int64_t end, int) {
          pool.parallel_for(10, 2,
                            [&](int64_t b, int64_t e, int) { sum += (end - begin) * (e - b); });
        });
      }
    });
  }
  callers.clear();
  EXPECT_EQ(sum.load(), 4 * 50 * 8 * 10);
}

TEST(Json, HostileTextIsAnErrorNotACrash) {
  EXPECT_FALSE(parse_json("{", "x"));
  EXPECT_FALSE(parse_json(std::string(100000, '['), "x"));
  EXPECT_FALSE(parse_json("\"\xff\"", "x"));
  EXPECT_FALSE(parse_json("{} {}", "x"));
  const auto endless = parse_json("{\"text\": \"" + std::string(9000, 'x') + "行\n", "row");
  EXPECT_LT(endless.error().message.size(), 400u);
  EXPECT_THAT(endless.error().message, HasSubstr("last read: '...xxx"));
  const auto json = parse_json(R"({"a": 1, "b": "two", "c": null})", "x");
  ASSERT_TRUE(json);
  EXPECT_EQ(*get_int(*json, "a"), 1);
  EXPECT_EQ(get_int(*json, "b").error().message, "'b' is string, not an integer");
  EXPECT_EQ(get_string(*json, "c").error().message, "'c' is missing");
  EXPECT_EQ(string_or(*json, "c", "none"), "none");
}

TEST(Config, RefusesWhatNobodyReads) {
  const auto config = Config::parse("[model]\nlayers = 4\nlayer = 5\n", "r.toml");
  ASSERT_TRUE(config);
  EXPECT_EQ(*config->integer("model.layers", 1, 1, 100), 4);
  const Status finished = config->finish();
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().message, "r.toml:3: model.layer is not a known key");
}

TEST(Config, NamesLineKeyAndRange) {
  const auto config = Config::parse("a = 'x'\nb = 500\n[[s]]\nk = 1\n[[s]]\nk = 2\n", "r.toml");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->integer("a", 0, 0, 9).error().message, "r.toml:1: a is not an integer");
  EXPECT_EQ(config->integer("b", 0, 0, 9).error().message, "r.toml:2: b = 500 is outside 0..9");
  EXPECT_EQ(*config->number("missing", 1.5, 0, 9), 1.5);
  const auto tables = config->tables("s");
  ASSERT_TRUE(tables);
  ASSERT_EQ(tables->size(), 2u);
  EXPECT_EQ(*(*tables)[1].integer("k", 0, 0, 9), 2);
  EXPECT_TRUE((*tables)[1].finish());
  EXPECT_TRUE(config->finish());
  EXPECT_FALSE(Config::parse("a = = 1", "r.toml"));
}

TEST(Hash, KnownDigest) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(random_hex(16).size(), 32u);
  EXPECT_NE(random_hex(16), random_hex(16));
}

TEST(Hash, Sha1NamesGitObjects) {
  Sha1 abc;
  abc.update("a");
  abc.update("bc");
  EXPECT_EQ(abc.hex(), "a9993e364706816aba3e25717850c26c9cd0d89d");
  Sha1 blob;  // printf 'hello\n' | git hash-object --stdin
  blob.update(std::string_view("blob 6\0hello\n", 13));
  EXPECT_EQ(blob.hex(), "ce013625030ba8dba906f756967f9e9ca394464a");
}

TEST(Rng, SavedStateContinuesTheSameSequence) {
  Rng a(7);
  a.next();
  Rng b(a.state());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.next(), b.next());
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) {
    const uint64_t x = a.below(10);
    EXPECT_LT(x, 10u);
    seen.insert(x);
  }
  EXPECT_EQ(seen.size(), 10u);
}

TEST(Rng, NormalHasItsMoments) {
  Rng rng(1);
  double sum = 0, squares = 0;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) {
    const double x = rng.normal();
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / kDraws, 0.0, 0.03);
  EXPECT_NEAR(squares / kDraws, 1.0, 0.05);
}

TEST(Clock, WritesIsoTime) {
  EXPECT_EQ(iso_time(1700000000000), "2023-11-14T22:13:20Z");
}

TEST(Metrics, ExposesWhatWasCounted) {
  count("plinth_test_total", 2, {{"kind", "a"}});
  count("plinth_test_total", 1, {{"kind", "a"}});
  observe_seconds("plinth_test_seconds", 0.004);
  const std::string text = metrics_text();
  EXPECT_THAT(text, HasSubstr("plinth_test_total{kind=\"a\"} 3"));
  EXPECT_THAT(text, HasSubstr("plinth_test_seconds_bucket{le=\"0.005\"} 1"));
}

TEST(Bytes, AreReadAsPeopleWriteThem) {
  EXPECT_EQ(*parse_bytes("4GB"), 4'000'000'000);
  EXPECT_EQ(*parse_bytes("1.5 GiB"), 3 * (int64_t{1} << 29));
  EXPECT_EQ(*parse_bytes("512mib"), int64_t{512} << 20);
  EXPECT_EQ(*parse_bytes("4096"), 4096);
  EXPECT_EQ(*parse_bytes("512M"), 512'000'000);
  for (const char* bad : {"", "GB", "4 elephants", "-1GB", "1e300GB", "nan"}) {
    const auto bytes = parse_bytes(bad);
    ASSERT_FALSE(bytes) << bad;
    EXPECT_NE(bytes.error().message.find(bad), std::string::npos);
  }
  EXPECT_EQ(format_bytes(1'520'000'000), "1.52 GB");
  EXPECT_EQ(format_bytes(12'300'000), "12 MB");
}

TEST(StandBack, GivesWayAndComputesEveryRangeOnce) {
  ThreadPool pool(3);
  std::vector<std::atomic<int>> done(1000);
  std::atomic<bool> begun = false;
  std::jthread background([&] {
    const StandBack stands_back;
    for (int round = 0; round < 20; ++round)
      pool.parallel_for(1000, 7, [&](int64_t begin, int64_t end, int) {
        begun = true;
        for (int64_t i = begin; i < end; ++i) done[static_cast<size_t>(i)].fetch_add(1);
      });
  });
  while (!begun) std::this_thread::yield();
  int64_t sum = 0;
  for (int round = 0; round < 50; ++round) {
    const Urgent urgent;
    std::atomic<int64_t> total = 0;
    pool.parallel_for(100, 3, [&](int64_t begin, int64_t end, int) { total += end - begin; });
    sum += total;
  }
  background.join();
  EXPECT_EQ(sum, 50 * 100);
  for (const auto& times : done) ASSERT_EQ(times.load(), 20);
}

TEST(StandBack, WaitsWhileSomebodyIsUrgent) {
  ThreadPool pool(2);
  std::atomic<int> ranges = 0;
  std::jthread background;
  {
    const Urgent urgent;
    background = std::jthread([&] {
      const StandBack stands_back(1);
      pool.parallel_for(10, 1, [&](int64_t, int64_t, int worker) {
        EXPECT_EQ(worker, 0);  // of one thread at most
        ranges.fetch_add(1);
      });
    });
    while (standing_back() == 0) std::this_thread::yield();
    EXPECT_EQ(ranges, 0);
  }
  background.join();
  EXPECT_EQ(ranges, 10);
  EXPECT_EQ(standing_back(), 0);
}

}  // namespace
}  // namespace plinth
