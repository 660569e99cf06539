// Lines that recur over a source, from whole runs: what goes, what stays, and that the bytes are
// the same however the run is made.
#include "corpus/stage/repeated_lines.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/hash.h"
#include "core/json.h"
#include "core/rng.h"
#include "corpus/clean/boilerplate.h"
#include "corpus/shard.h"
#include "corpus/stage/line_counts.h"
#include "corpus/stage/text_of_test.h"

namespace plinth::corpus {
namespace {

using testing::HasSubstr;
using testing::Not;

// A site of 90 pages with header and footer, beside a folder without any.
class RepeatedLines : public testing::Test {
 protected:
  static constexpr std::string_view kHead = "晨光门户 首页 新闻 服务";
  static constexpr std::string_view kFoot = "版权所有 晨光门户 未经许可不得转载";

  RepeatedLines() : temp_(*TempDirectory::create()) {
    Rng rng(3);
    for (int i = 0; i < 90; ++i)
      put(fmt::format("site/{:02}.txt", i),
          fmt::format("{}\n{}{}\n", kHead, random_text(rng, 150), kFoot));
    put("site/empty.txt", fmt::format("{}\n短\n{}\n", kHead, kFoot));
    for (int i = 0; i < 12; ++i) put(fmt::format("other/{:02}.txt", i), random_text(rng, 150));
    // One text with its revisions, one form with its values: what they share is no boilerplate.
    const std::string text = random_text(rng, 400), form = random_text(rng, 400);
    for (int i = 0; i < 30; ++i) {
      put(fmt::format("texts/{:02}.txt", i),
          fmt::format("{}{}{}", text, random_text(rng, 9), text));
      put(fmt::format("forms/{:02}.txt", i), fmt::format("{}读数{}\n{}", form, 100 + i, form));
    }
  }

  void put(const std::string& name, std::string_view bytes) {
    const Path path = in() / name;
    ASSERT_TRUE(make_directories(path.parent_path()));
    ASSERT_TRUE(write_file_atomic(path, bytes));
  }

  Path in() const { return temp_.path() / "in"; }

  Path out(const char* name) const { return temp_.path() / name; }

  RefineOptions options(const char* name) const {
    RefineOptions o;
    o.inputs = {in()};
    o.out = out(name);
    return o;
  }

  static std::map<std::string, std::string> hashes(const Path& corpus) {
    std::map<std::string, std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(corpus))
      if (entry.path().filename() != "report.json")  // seconds
        found[entry.path().filename().string()] = *sha256_file(entry.path());
    return found;
  }

  TempDirectory temp_;
};

TEST_F(RepeatedLines, GoFromEveryPageAndAreTraced) {
  const auto report = refine(options("corpus"));
  ASSERT_TRUE(report) << report.error().message;
  const auto documents = read_documents(out("corpus"));
  ASSERT_TRUE(documents);
  int pages = 0;
  for (const Document& document : *documents) {
    EXPECT_THAT(document.text, Not(HasSubstr(std::string(kHead))));
    EXPECT_THAT(document.text, Not(HasSubstr(std::string(kFoot))));
    if (!document.source.path.starts_with("site/")) continue;
    ++pages;
    EXPECT_THAT(document.rules, testing::Contains("boilerplate-lines:2"));
    EXPECT_THAT(*trace(out("corpus"), document.id), HasSubstr("boilerplate-lines:2"));
    EXPECT_THAT(document.title, Not(HasSubstr("晨光")));
  }
  EXPECT_EQ(pages, 90);
  const Json json = *parse_json(report->json, "report");
  const Json rule = json["rules"]["boilerplate-lines"];
  EXPECT_EQ(rule["documents"], 91);
  EXPECT_THAT(rule["examples"][0]["before"].get<std::string>(), HasSubstr("site: 91 / 91"));
  EXPECT_EQ(json["rejects_by_stage"]["boilerplate"], 1);  // the page with nothing else
  EXPECT_EQ(report->found.at("boilerplate_lines"), 91);
  int rejects = 0;
  ASSERT_TRUE(read_shards(out("corpus"), "rejects", [&](std::string_view line) -> Status {
    if (line.find("\"stage\":\"boilerplate\"") == line.npos) return {};
    ++rejects;
    EXPECT_THAT(std::string(line), HasSubstr("recur in site"));
    return {};
  }));
  EXPECT_EQ(rejects, 1);
  // Of thirty revisions one stays, of the forms all; none loses anything.
  EXPECT_EQ(json["rejects_by_stage"]["near_duplicate"], 29);
  int forms = 0;
  for (const Document& document : *documents) {
    forms += document.source.path.starts_with("forms/") ? 1 : 0;
    if (!document.source.path.starts_with("site/")) {
      EXPECT_THAT(document.rules, Not(testing::Contains(HasSubstr("boilerplate"))));
    }
  }
  EXPECT_EQ(forms, 30);
}

// What must be left is what the document's own profile asks for, not the recipe's.
TEST_F(RepeatedLines, EachDocumentHasItsOwnLeast) {
  const std::string left = "轿门应当关好，请勿倚靠";
  put("site/short.txt", fmt::format("{}\n{}\n{}\n", kHead, left, kFoot));
  const auto rejects_with = [&](const char* name, double recipe_min, double source_min) {
    RefineOptions o = options(name);
    o.recipe.limits["chars_min"] = recipe_min;
    SourceLicence site;
    site.path = "site/";
    site.licence = "x";
    site.limits["chars_min"] = source_min;
    o.recipe.sources = {site};
    const auto report = refine(o);
    return report ? (*parse_json(report->json, "report"))["rejects_by_stage"]["boilerplate"]
                  : Json(report.error().message);
  };
  EXPECT_EQ(rejects_with("strict", 5, 20), 2);   // short.txt and empty.txt
  EXPECT_EQ(rejects_with("lenient", 20, 5), 1);  // empty.txt
}

TEST_F(RepeatedLines, PartsAndStopsGiveTheSameBytes) {
  ASSERT_TRUE(refine(options("whole")));
  std::vector<Path> parts;
  for (int rank = 0; rank < 2; ++rank) {
    const std::string name = fmt::format("part-{}", rank);
    RefineOptions o = options(name.c_str());
    o.rank = rank;
    o.world = 2;
    ASSERT_TRUE(refine(o));
    parts.push_back(o.out);
  }
  const auto merged = merge_parts(parts, out("merged"));
  ASSERT_TRUE(merged) << merged.error().message;
  EXPECT_EQ(hashes(out("merged")), hashes(out("whole")));
  bool finished = false;
  for (int stop = 1; !finished; ++stop) {
    ASSERT_LT(stop, 30);
    RefineOptions o = options("cut");
    int steps = 0;
    o.step = [&](std::string_view) -> Status {
      if (++steps == stop) return make_error(Code::kUnavailable, "stopped");
      return {};
    };
    finished = refine(o).has_value();
    if (!finished) {
      ASSERT_TRUE(refine(options("cut")));
    }
    EXPECT_EQ(hashes(out("cut")), hashes(out("whole"))) << "stopped at step " << stop;
    ASSERT_TRUE(remove_tree(out("cut")));
  }
}

TEST_F(RepeatedLines, AShareOfOneSwitchesItOff) {
  RefineOptions o = options("corpus");
  o.recipe.boilerplate_share = 1;
  const auto report = refine(o);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->found.at("boilerplate_lines"), 0);
  EXPECT_THAT(read_documents(o.out)->at(45).text, HasSubstr(std::string(kHead)));
}

TEST_F(RepeatedLines, ADryRunShowsEveryRuleAndLeavesNothing) {
  put("other/tel.txt", "值班电话13800138000，二十四小时有人接听，请在工作时间以外拨打。\n");
  const auto report = dry_run(options("corpus"), 1 << 20);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_FALSE(std::filesystem::exists(out("corpus")));
  const Json json = *parse_json(report->json, "report");
  const Json mask = json["rules"]["mask:phone"];
  EXPECT_EQ(mask["documents"], 1);
  EXPECT_EQ(mask["chars"], 11);
  EXPECT_THAT(mask["examples"][0]["before"].get<std::string>(), HasSubstr("13800138000"));
  EXPECT_THAT(mask["examples"][0]["after"].get<std::string>(), HasSubstr("138****8000"));
  EXPECT_GT(json["reject_chars_by_stage"]["near_duplicate"].get<int64_t>(), 29 * 700);
  const auto few = dry_run(options("corpus"), 10'000);
  ASSERT_TRUE(few);
  EXPECT_LT(few->files, report->files / 2);
  EXPECT_GT(few->files, 1);
}

TEST(LineCounts, CountsInLittleMemory) {
  const auto temp = TempDirectory::create();
  std::map<uint64_t, uint32_t> truth;
  Rng rng(5);
  auto counter = LineCounter::create(temp->path(), 300'000, 64 << 10);
  ASSERT_TRUE(counter);
  for (int i = 0; i < 100'000; ++i) {
    for (const uint64_t n : {rng.below(9000), rng.below(40), uint64_t{7}}) {
      const uint64_t key = xxh3(fmt::format("{}", n));
      ++truth[key];
      ASSERT_TRUE(counter->add(key));
    }
  }
  ASSERT_TRUE(counter->finish(10));
  const auto counts = LineCounts::open(temp->path());
  ASSERT_TRUE(counts);
  for (const auto& [key, n] : truth) EXPECT_EQ(counts->count(key), n >= 10 ? n : 0) << n;
  EXPECT_EQ(counts->count(1), 0u);
}

}  // namespace
}  // namespace plinth::corpus
