#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/hash.h"
#include "core/json.h"
#include "corpus/corpus.h"
#include "corpus/shard.h"
#include "corpus/unpack/archive_of_test.h"

namespace plinth::corpus {
namespace {

using testing::HasSubstr;
using testing::Not;

class Refine : public testing::Test {
 protected:
  Refine() : temp_(*TempDirectory::create()) {
    put("a/规程.txt",
        "第一章 "
        "总则\n为了规范电梯维护保养工作，保障乘客安全，制定本规程。联系电话13800138000，请勿外传。"
        "\n");
    put("a/规程 - 副本.txt",
        "第一章 "
        "总则\n为了规范电梯维护保养工作，保障乘客安全，制定本规程。联系电话13800138000，请勿外传。"
        "\n");
    put("b/坏.docx", "PK\x03\x04 no zip");
    put("b/空.txt", "");
    put("b/行.jsonl",
        "{\"text\":\"门锁啮合深度不得小于七毫米，检查时应当逐层测量并记录在保养单上。\"}\n{bad\n");
    put("c/html.html",
        "<html><body><nav>首页 "
        "导航</nav><article><h1>须知<script>x</script></"
        "h1><p>乘坐电梯时，请勿倚靠轿门，请勿超载，遇到困人不要扒门。</p></article></body></html>");
  }

  void put(const std::string& name, std::string_view bytes) {
    const Path path = in() / name;
    ASSERT_TRUE(make_directories(path.parent_path()));
    ASSERT_TRUE(write_file_atomic(path, bytes));
  }

  Path in() const { return temp_.path() / "in"; }

  Path out() const { return temp_.path() / "out"; }

  Result<RefineReport> run(const std::vector<Path>& suites = {}) {
    RefineOptions options;
    options.inputs = {in()};
    options.out = out();
    options.suites = suites;
    return refine(options);
  }

  TempDirectory temp_;
};

TEST_F(Refine, EveryDocumentIsKeptOrRejectedWithAReason) {
  const auto report = run();
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->documents_in, report->documents_out + report->rejects);
  EXPECT_EQ(report->documents_out, 3);
  EXPECT_EQ(report->found.at("exact_duplicate"), 1);
  EXPECT_EQ(report->found.at("unreadable"), 3);  // the DOCX, the empty file, the bad row
  EXPECT_EQ(report->found.at("phone"), 2);
  EXPECT_EQ(report->found.at("boilerplate"), 1);
  int rejects = 0;
  ASSERT_TRUE(read_shards(out(), "rejects", [&](std::string_view line) -> Status {
    PLINTH_TRY(const Json json, parse_json(line, "reject"));
    EXPECT_FALSE(string_or(json, "stage", "").empty());
    EXPECT_FALSE(string_or(json, "reason", "").empty());
    ++rejects;
    return {};
  }));
  EXPECT_EQ(rejects, report->rejects);
}

TEST_F(Refine, DocumentsReadBackWithSourceAndMaskedText) {
  ASSERT_TRUE(run());
  const auto documents = read_documents(out());
  ASSERT_TRUE(documents) << documents.error().message;
  const Document& first = documents->front();
  EXPECT_EQ(first.source.path, "a/规程.txt");  // not the copy
  EXPECT_THAT(first.text, HasSubstr("138****8000"));
  EXPECT_EQ(first.source.sha256, *sha256_file(in() / "a/规程.txt"));
  EXPECT_EQ(first.lang, "zh");
  const auto traced = trace(out(), first.id);
  ASSERT_TRUE(traced);
  EXPECT_THAT(*traced, HasSubstr("规程.txt"));
  EXPECT_FALSE(trace(out(), "0000000000000000"));
}

TEST_F(Refine, TheSameInputGivesTheSameBytes) {
  const auto hashes = [&] {
    std::vector<std::string> list;
    for (const char* name :
         {"documents-00000.jsonl.zst", "rejects-00000.jsonl.zst", "report.html", "manifest.json"})
      list.push_back(*sha256_file(out() / name));
    return list;
  };
  ASSERT_TRUE(run());
  const auto first = hashes();
  ASSERT_TRUE(run());  // replaces the earlier corpus
  EXPECT_EQ(hashes(), first);
}

TEST_F(Refine, DocumentsInContainersAreTracedToTheirMember) {
  const std::string text =
      "机房照明应当保持完好，检修开关应当置于检修位置，作业前应当确认对讲系统畅通，并告知值班人员"
      "。";
  put("d/包.bin",
      zip_of({{"甲/a.txt", text}, {"乙.tar", archive_of({{"x.txt", "x"}}, Packing::kTar)}}));
  const auto report = run();
  ASSERT_TRUE(report) << report.error().message;
  const auto documents = read_documents(out());
  const auto found = std::find_if(documents->begin(), documents->end(), [](const Document& d) {
    return d.source.path == "d/包.bin!/甲/a.txt";
  });
  ASSERT_NE(found, documents->end());
  EXPECT_EQ(found->source.sha256, *sha256_file(in() / "d/包.bin"));
  EXPECT_EQ(found->source.end, text.size());
  EXPECT_THAT(*trace(out(), found->id), HasSubstr("包.bin!/甲/a.txt"));
  const Json json = *parse_json(report->json, "report");
  EXPECT_EQ(json["files_by_kind"]["zip"], 1);
  EXPECT_EQ(json["leaves"], 2);
  EXPECT_EQ(json["files"], 7);
}

TEST_F(Refine, ADiffSaysWhatChangedAndWhy) {
  ASSERT_TRUE(run());
  const Path first = temp_.path() / "first";
  std::filesystem::rename(out(), first);
  put("c/html.html", "<html><body><p>太短</p></body></html>");
  put("d/新.txt",
      "限速器应当每两年校验一次，校验报告应当存入设备的技术档案，以备检查人员随时查阅。");
  std::filesystem::remove(in() / "b/行.jsonl");
  ASSERT_TRUE(run());
  const auto diff = diff_corpora(first, out());
  ASSERT_TRUE(diff) << diff.error().message;
  EXPECT_EQ(diff->same, 1);
  EXPECT_EQ(diff->changed, 0);
  EXPECT_EQ(diff->appeared_by_stage, (std::map<std::string, int64_t>{{"new", 1}}));
  EXPECT_EQ(diff->gone_by_stage,
            (std::map<std::string, int64_t>{{"length", 1}, {"not an input", 1}}));
  EXPECT_TRUE(diff->recipe.empty());
  EXPECT_THAT(diff->json, HasSubstr("d/新.txt"));
  const auto none = diff_corpora(first, first);
  EXPECT_EQ(none->same, 3);
  EXPECT_EQ(none->appeared + none->gone + none->changed, 0);
}

TEST_F(Refine, LeavesForeignFoldersAlone) {
  ASSERT_TRUE(make_directories(out()));
  ASSERT_TRUE(write_file_atomic(out() / "precious.txt", "x"));
  const auto report = run();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Code::kAlreadyExists);
  EXPECT_TRUE(std::filesystem::exists(out() / "precious.txt"));
}

TEST_F(Refine, AFailureLeavesNothingBehind) {
  const auto report = run({in() / "no-such-suite.jsonl"});
  ASSERT_FALSE(report);
  EXPECT_FALSE(std::filesystem::exists(out()));
  EXPECT_FALSE(std::filesystem::exists(out().string() + ".tmp"));
}

TEST_F(Refine, ExamTextIsCutFromDocuments) {
  const Path suite = temp_.path() / "exam.jsonl";
  ASSERT_TRUE(write_file_atomic(
      suite, "{\"question\":\"门锁啮合深度不得小于七毫米是对的吗\",\"answer\":\"对\"}\n"));
  put("d/混.md",
      "# "
      "说明\n\n这一段是普通的说明文字，和考试没有关系，应当留下来继续使用，直到最后。\n\n门锁啮合深"
      "度不得小于七毫米是对的。\n");
  ASSERT_TRUE(run({suite}));
  const auto documents = read_documents(out());
  for (const Document& document : *documents)
    EXPECT_THAT(document.text, Not(HasSubstr("不得小于七毫米是对的")));
}

TEST_F(Refine, ReportEscapesWhatItShows) {
  put("e/<img src=x onerror=alert(1)>.txt", "短");
  ASSERT_TRUE(run());
  const auto page = read_file(out() / "report.html");
  EXPECT_THAT(*page, Not(HasSubstr("<img")));
  EXPECT_THAT(*page, HasSubstr("&lt;img src=x onerror=alert(1)&gt;"));
}

TEST(Recipe, ReadsThresholdsAndRefusesUnknownKeys) {
  const auto temp = TempDirectory::create();
  const Path path = temp->path() / "r.toml";
  ASSERT_TRUE(write_file_atomic(
      path, "[refine]\nchars_min = 50\nnear_jaccard = 0.9\n[refine.pii]\nemail = \"keep\"\n"));
  const auto recipe = read_recipe(path);
  ASSERT_TRUE(recipe) << recipe.error().message;
  EXPECT_EQ(recipe->limits.at("chars_min"), 50);
  EXPECT_EQ(recipe->pii.at("email"), PiiAction::kKeep);
  ASSERT_TRUE(write_file_atomic(path, "[refine]\nchar_min = 50\n"));
  EXPECT_FALSE(read_recipe(path));
  ASSERT_TRUE(write_file_atomic(path, "[refine.pii]\nemail = \"hide\"\n"));
  EXPECT_FALSE(read_recipe(path));
}

TEST(Recipe, ErrorsNameTheLine) {
  const auto temp = TempDirectory::create();
  const Path path = temp->path() / "r.toml";
  for (const auto& [text, line, what] :
       {std::tuple("[refine]\n\nprofile = \"poems\"\n", 3,
                   "refine.profile = \"poems\" is none of general"),
        std::tuple("[refine]\nprofile = \"web\"\nhan_share_min = 2\n", 3, "outside 0..1"),
        std::tuple("[refine]\nchars_min = 2.5\n", 2, "not an integer"),
        std::tuple("[refine.pii]\nemail = \"hide\"\n", 2, "none of mask, keep, drop"),
        std::tuple("[refine]\nmemory = \"1 MB\"\n", 2, "less than 64 MB"),
        std::tuple("[[refine.source]]\npath = \"a/\"\nlicence = \"x\"\nprofile = \"laws\"\n", 4,
                   "profile = \"laws\" is none of"),
        std::tuple("[[refine.source]]\npath = \"a/\"\nlicence = \"x\"\nchars_max = 3\n", 4,
                   "chars_max is not a known key"),
        std::tuple("[refine]\n[[refine.source]]\npath = \"a/\"\n", 2,
                   "source \"a/\" is missing")}) {
    ASSERT_TRUE(write_file_atomic(path, text));
    const auto recipe = read_recipe(path);
    ASSERT_FALSE(recipe) << text;
    EXPECT_THAT(recipe.error().message, HasSubstr(fmt::format("r.toml:{}: ", line)));
    EXPECT_THAT(recipe.error().message, HasSubstr(what));
  }
}

// `plinth refine . -o corpus`, and once more.
TEST_F(Refine, ItsOwnOutputIsNoInput) {
  RefineOptions options;
  options.inputs = {in()};
  options.out = in() / "corpus";
  const auto first = refine(options), again = refine(options);
  ASSERT_TRUE(first) << first.error().message;
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->files, first->files);
  EXPECT_EQ(again->documents_out, first->documents_out);
}

// `plinth refine . --rank 0 --world 2 -o part-0`, then the other one.
TEST_F(Refine, PartsOfARunAreNoInput) {
  RefineOptions options;
  options.inputs = {in()};
  options.out = in() / "whole";
  const auto whole = refine(options);
  ASSERT_TRUE(whole) << whole.error().message;
  ASSERT_TRUE(remove_tree(options.out));
  // A third machine is still at work.
  ASSERT_TRUE(make_directories(in() / "part-9.work" / "pieces"));
  ASSERT_TRUE(write_file_atomic(in() / "part-9.work" / "plan.json", "{}"));
  options.world = 2;
  for (options.rank = 0; options.rank < 2; ++options.rank) {
    options.out = in() / fmt::format("part-{}", options.rank);
    ASSERT_TRUE(refine(options));
  }
  const auto merged = merge_parts({in() / "part-0", in() / "part-1"}, in() / "merged");
  ASSERT_TRUE(merged) << merged.error().message;
  EXPECT_EQ(merged->files, whole->files);
  EXPECT_EQ(merged->documents_out, whole->documents_out);
}

// Each source by its own profile, a single limit of the recipe everywhere, one of a source there.
TEST_F(Refine, ProfilesHoldForTheirSources) {
  const std::string thirty = "乘坐电梯时请勿倚靠轿门，请勿超载，遇到困人不要扒门，等待救援。\n";
  put("web/a.txt", thirty);
  put("law/a.txt", "第一条 " + thirty);
  put("law/short/a.txt", "第二条 轿门应当关好。\n");
  put("r.toml",
      "[refine]\nprofile = \"web\"\nhan_share_min = 0.1\n"
      "[[refine.source]]\npath = \"law/\"\nlicence = \"x\"\nprofile = \"law\"\n"
      "[[refine.source]]\npath = \"law/short/\"\nlicence = \"x\"\nprofile = \"law\"\nchars_min = "
      "5\n");
  RefineOptions options;
  options.inputs = {in() / "web", in() / "law"};
  options.out = out();
  const auto recipe = read_recipe(in() / "r.toml");
  ASSERT_TRUE(recipe) << recipe.error().message;
  options.recipe = *recipe;
  ASSERT_TRUE(refine(options));
  std::vector<std::string> kept;
  const auto documents = read_documents(out());
  ASSERT_TRUE(documents);
  for (const Document& document : *documents) kept.push_back(document.source.path);
  EXPECT_THAT(kept, testing::UnorderedElementsAre("law/a.txt", "law/short/a.txt"));
  const auto manifest = read_file(out() / "manifest.json");
  EXPECT_THAT(*manifest, HasSubstr("\"profile\":\"law\""));
  EXPECT_THAT(*manifest, HasSubstr("\"chars_min\":100"));
}

TEST(Shards, RotateAndReadBack) {
  const auto temp = TempDirectory::create();
  auto writer = ShardWriter::create(temp->path(), "documents", 100);
  ASSERT_TRUE(writer);
  for (int i = 0; i < 10; ++i)
    ASSERT_TRUE(writer->write_line(std::string(40, static_cast<char>('a' + i))));
  const auto names = writer->close();
  ASSERT_TRUE(names);
  EXPECT_EQ(names->size(), 5u);
  std::string heads;
  ASSERT_TRUE(read_shards(temp->path(), "documents", [&](std::string_view line) -> Status {
    heads.push_back(line.front());
    return {};
  }));
  EXPECT_EQ(heads, "abcdefghij");
}

TEST(Shards, ATornFileIsAnError) {
  const auto temp = TempDirectory::create();
  auto writer = ShardWriter::create(temp->path(), "documents");
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(writer->write_line(fmt::format("{}", i * 7919)));
  ASSERT_TRUE(writer->close());
  const Path path = temp->path() / "documents-00000.jsonl.zst";
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  const auto status =
      read_shards(temp->path(), "documents", [](std::string_view) -> Status { return {}; });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kDataLoss);
}

}  // namespace
}  // namespace plinth::corpus
