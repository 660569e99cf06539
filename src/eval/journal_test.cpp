#include "eval/journal.h"

#include <gtest/gtest.h>

#include "core/interrupt.h"
#include "core/json.h"
#include "eval/item_json.h"
#include "eval/test_y_sayer.h"

namespace plinth::eval {
namespace {

class JournalTest : public ::testing::Test {
 protected:
  // Random weights: every number of an item is its own. Deterministic, because a suite that goes on
  // has its items in other batches than one that was not interrupted.
  std::unique_ptr<engine::Engine> start() {
    return *engine::Engine::start(
        engine::random_model(engine::tiny_config(), 3, 0.5),
        {.kv_bytes = 1 << 20, .block_tokens = 4, .rows_max = 64, .deterministic = true});
  }

  EvalOptions options(const engine::Engine& engine, const std::string& key) const {
    return {.prompt = [&engine](std::string_view question) -> Result<std::vector<int32_t>> {
              return engine.model().tokenizer().encode("Q: " + std::string(question) + "A: ",
                                                       false);
            },
            .answer_tokens_max = 3,
            .window_tokens = 16,
            .journal = path_,
            .journal_key = key};
  }

  // Of a kind, long enough for several parts.
  static Suite suite(const std::string& kind) {
    std::string rows;
    for (int i = 0; i < 300; ++i) {
      const bool choice = kind == "choice" || (kind == "exam" && i % 2 == 0);
      if (kind == "text")
        rows += to_text({{"id", i}, {"text", "document " + std::to_string(i * 7919)}});
      else if (choice)
        rows += to_text({{"id", i},
                         {"question", std::to_string(i)},
                         {"choices", {"a", "bc", std::to_string(i)}},
                         {"answer", i % 3}});
      else
        rows += to_text({{"id", i}, {"question", std::to_string(i)}, {"answer", "abc"}});
      rows += '\n';
    }
    return *parse_jsonl_suite(rows, kind);
  }

  static std::string all_of(const SuiteResult& result) {
    std::string text;
    for (const ItemResult& item : result.items) text += to_text(to_json(item)) + '\n';
    return text +
           fmt::format("{} {} {}", result.interval.mean, result.interval.lo, result.interval.hi);
  }

  size_t lines() const {
    const std::string text = *read_file(path_);
    return static_cast<size_t>(std::ranges::count(text, '\n'));
  }

  TempDirectory folder_ = *TempDirectory::create();
  const Path path_ = folder_.path() / "proof" / "journal.jsonl";
};

TEST_F(JournalTest, ASuiteThatWasInterruptedGoesOnToTheSameResult) {
  for (const std::string kind : {"choice", "short", "text", "exam"}) {
    ASSERT_TRUE(remove_tree(path_.parent_path()));
    const auto engine = start();
    const Suite whole = suite(kind);
    EvalOptions plain = options(*engine, "k");
    plain.journal.clear();
    const auto expected = run_suite(*engine, nullptr, whole, plain);
    ASSERT_TRUE(expected) << expected.error().message;

    int64_t done = 0;
    EvalOptions first = options(*engine, "k");
    first.progress = [&](int64_t now, int64_t) { done = now; };
    {
      const StopWhen stop([&] { return done > 0; });
      const auto cut = run_suite(*engine, nullptr, whole, first);
      ASSERT_FALSE(cut) << kind;
      EXPECT_EQ(cut.error().code, Code::kCancelled);
    }
    const size_t known = lines() - 1;
    EXPECT_GE(known, 1u) << kind;
    EXPECT_LT(known, whole.items.size()) << kind;

    // The next process.
    const auto next = start();
    std::vector<int64_t> reports;
    EvalOptions rest = options(*next, "k");
    rest.progress = [&](int64_t now, int64_t total) {
      EXPECT_EQ(total, std::ssize(whole.items));
      reports.push_back(now);
    };
    const auto went_on = run_suite(*next, nullptr, whole, rest);
    ASSERT_TRUE(went_on) << went_on.error().message;
    EXPECT_EQ(all_of(*went_on), all_of(*expected)) << kind;
    EXPECT_EQ(lines(), whole.items.size() + 1) << "each item was answered once";

    // And one that finds everything answered asks nothing.
    const int64_t rows = next->stats().rows;
    EXPECT_EQ(all_of(*run_suite(*next, nullptr, whole, options(*next, "k"))), all_of(*expected));
    EXPECT_EQ(next->stats().rows, rows) << kind;
  }
}

TEST_F(JournalTest, ATornLineIsAskedAgain) {
  const auto engine = start();
  const Suite whole = suite("choice");
  const auto expected = run_suite(*engine, nullptr, whole, options(*engine, "k"));
  const std::string text = *read_file(path_);
  ASSERT_TRUE(write_file_atomic(path_, text.substr(0, text.size() - 9)));
  EXPECT_EQ(all_of(*run_suite(*engine, nullptr, whole, options(*engine, "k"))), all_of(*expected));
  EXPECT_EQ(lines(), whole.items.size() + 1);
}

TEST_F(JournalTest, AnotherKeyBeginsAnew) {
  const auto engine = start();
  const Suite whole = suite("short");
  ASSERT_TRUE(run_suite(*engine, nullptr, whole, options(*engine, "one")));
  const int64_t rows = engine->stats().rows;
  ASSERT_TRUE(run_suite(*engine, nullptr, whole, options(*engine, "two")));
  EXPECT_GT(engine->stats().rows, rows);
  EXPECT_EQ(lines(), whole.items.size() + 1);
}

}  // namespace
}  // namespace plinth::eval
