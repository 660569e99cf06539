#include "knowledge/knowledge.h"

#include <gtest/gtest.h>

#include "core/rng.h"
#include "knowledge/index_file.h"
#include "knowledge/terms.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace plinth::knowledge {
namespace {

// 30 documents of 10 articles; article a of document d is about a pair of words of its own.
std::vector<Document> library() {
  const std::vector<std::string> subjects = {"租赁", "买卖", "借款", "承揽", "运输",
                                             "保管", "委托", "赠与", "担保", "保险"};
  const std::vector<std::string> places = {
      "仓库", "港口", "车站", "机场", "工厂", "学校", "医院", "商场", "农田", "矿山",
      "桥梁", "隧道", "公园", "剧院", "银行", "法院", "邮局", "酒店", "码头", "水库",
      "电站", "油田", "牧场", "渔港", "林场", "盐田", "茶园", "窑洞", "庭院", "书店"};
  std::vector<Document> all;
  for (size_t d = 0; d < places.size(); ++d) {
    Document document{.id = fmt::format("d{}", d),
                      .title = places[d] + "管理办法",
                      .source_path = fmt::format("laws/{}.pdf", d),
                      .source_sha256 = std::string(64, 'a'),
                      .page = static_cast<int32_t>(d + 1)};
    for (size_t a = 0; a < subjects.size(); ++a)
      document.text += fmt::format(
          "第{}条 涉及{}的，当事人应当在十五日内向主管部门提出书面申请，并提交有关材料。\n", a + 1,
          subjects[a]);
    all.push_back(std::move(document));
  }
  return all;
}

TEST(Knowledge, FindsTheRightArticleAmongHundreds) {
  const auto index = Index::build(library());
  ASSERT_TRUE(index) << index.error().message;
  EXPECT_EQ(index->chunks(), 300);
  const auto hits = index->search("医院里的借款应当如何申请？", 3);
  ASSERT_EQ(hits.size(), 3u);
  EXPECT_EQ(hits[0].citation.title, "医院管理办法");
  EXPECT_EQ(hits[0].citation.section, "第3条");
  EXPECT_EQ(hits[0].citation.page, 7);
  EXPECT_EQ(hits[0].citation.source_path, "laws/6.pdf");
  EXPECT_NE(hits[0].citation.text.find("借款"), std::string::npos);
  EXPECT_GT(hits[0].score, hits[1].score);
}

TEST(Knowledge, EmptyAndForeignQueriesFindNothing) {
  const auto index = Index::build(library());
  EXPECT_TRUE(index->search("", 5).empty());
  EXPECT_TRUE(index->search("?! 。", 5).empty());
  EXPECT_TRUE(index->search("zzz", 5).empty());
  EXPECT_TRUE(index->search("借款", 0).empty());
  EXPECT_TRUE(index->search("借款", -1).empty());
  const auto nothing = Index::build({});
  ASSERT_TRUE(nothing);
  EXPECT_TRUE(nothing->search("借款", 5).empty());
}

TEST(Knowledge, AskingForMoreThanThereIsGivesAll) {
  const auto index = Index::build(library());
  EXPECT_EQ(index->search("借款", 1000).size(), 30u);
}

TEST(Knowledge, TheSameDocumentsGiveTheSameBytesAndTheFileAnswersAlike) {
  const auto one = Index::build(library());
  const auto two = Index::build(library());
  EXPECT_EQ(one->bytes(), two->bytes());
  const auto read = Index::parse(one->bytes());
  ASSERT_TRUE(read) << read.error().message;
  const auto before = one->search("工厂 保险", 7);
  const auto after = read->search("工厂 保险", 7);
  ASSERT_EQ(before.size(), after.size());
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(before[i].citation.text, after[i].citation.text);
    EXPECT_EQ(before[i].score, after[i].score);
  }
}

TEST(Knowledge, DocumentsNeedDistinctIds) {
  EXPECT_EQ(Index::build(std::vector<Document>{{.text = "x"}}).error().code,
            Code::kInvalidArgument);
  EXPECT_EQ(Index::build(std::vector<Document>{{.id = "a"}, {.id = "a"}}).error().code,
            Code::kInvalidArgument);
}

TEST(Knowledge, EveryCutAndEveryFlippedByteIsNoticed) {
  const auto index = Index::build(std::vector<Document>{{.id = "a", .text = "合同 contract"}});
  const std::string bytes = index->bytes();
  for (size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(Index::parse(bytes.substr(0, n)));
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string broken = bytes;
    broken[i] = static_cast<char>(broken[i] ^ 0x20);
    const auto parsed = Index::parse(broken);
    ASSERT_FALSE(parsed) << "byte " << i;
    EXPECT_EQ(parsed.error().code, Code::kDataLoss);
  }
}

TEST(Knowledge, HostilePayloadsBehindAValidChecksumAreRefusedOrHarmless) {
  const auto index = Index::build(library());
  const std::string payload = index->bytes().substr(kHeaderBytes);
  Rng rng(7);
  for (int round = 0; round < 500; ++round) {
    std::string broken = payload;
    for (int flips = 0; flips < 4; ++flips)
      broken[rng.below(broken.size())] = static_cast<char>(rng.below(256));
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(broken.data()), broken.size());
  }
  // Counts that promise more than the file could hold.
  std::string huge;
  put_number(huge, uint64_t{1} << 60);
  EXPECT_EQ(Index::parse(seal(huge)).error().code, Code::kDataLoss);
}

TEST(Terms, FoldsWidthAndCaseAndPairsIdeographs) {
  EXPECT_EQ(terms_of("GB/T ２８２８"), (std::vector<std::string>{"gb", "t", "2828"}));
  EXPECT_EQ(terms_of("合同法"), (std::vector<std::string>{"合", "同", "合同", "法", "同法"}));
  EXPECT_EQ(terms_of("合，同"), (std::vector<std::string>{"合", "同"}));
  EXPECT_EQ(terms_of(std::string(200, 'a')).size(), 4u);
  EXPECT_LT(term_weight("合"), term_weight("合同"));
}

}  // namespace
}  // namespace plinth::knowledge
