#include "hub/listing.h"

#include <gtest/gtest.h>

#include "hub/http.h"

namespace plinth::hub {
namespace {

const std::string kCommit(40, 'c');
const std::string kSha256(64, 'a');

Listing with(std::initializer_list<const char*> paths) {
  Listing listing;
  int64_t size = 1000;
  for (const char* path : paths) listing.files.push_back({.path = path, .size = --size});
  return listing;
}

std::vector<std::string> names(const Result<std::vector<File>>& files) {
  std::vector<std::string> paths;
  if (!files) return {"error: " + files.error().message};
  for (const File& file : *files) paths.push_back(file.path);
  std::sort(paths.begin(), paths.end());
  return paths;
}

using Names = std::vector<std::string>;

TEST(Listing, HuggingFaceKnowsBothHashes) {
  Listing listing;
  ASSERT_TRUE(append_hugging_face_page(
      fmt::format(R"([{{"type": "directory", "path": "x", "oid": "{0}", "size": 0}},
        {{"type": "file", "path": "config.json", "oid": "{0}", "size": 7}},
        {{"type": "file", "path": "model.safetensors", "oid": "{0}", "size": 9,
          "lfs": {{"oid": "{1}", "size": 9, "pointerSize": 134}}}}])",
                  kCommit, kSha256),
      listing));
  ASSERT_EQ(listing.files.size(), 2u);
  EXPECT_EQ(listing.files[0].git_sha1, kCommit);
  EXPECT_EQ(listing.files[0].sha256, "");
  EXPECT_EQ(listing.files[1].sha256, kSha256);
  EXPECT_EQ(listing.files[1].git_sha1, "");  // of the pointer, not of the content
  EXPECT_EQ(listing.files[1].size, 9);
}

TEST(Listing, ModelScopeTellsTheCommitInPieces) {
  const auto listing = parse_modelscope_listing(fmt::format(
      R"({{"Code": 200, "Success": true, "Data": {{"LatestCommitter": {{"Id": "", "ShortId": "{2}"}},
        "Files": [{{"Type": "tree", "Path": "x", "Size": 0}},
                  {{"Type": "blob", "Path": "a.gguf", "Size": 3, "Sha256": "{1}", "Revision": "{0}"}}]}}}})",
      kCommit, kSha256, kCommit.substr(0, 8)));
  ASSERT_TRUE(listing) << listing.error().message;
  EXPECT_EQ(listing->commit, kCommit);
  ASSERT_EQ(listing->files.size(), 1u);
  EXPECT_EQ(listing->files[0].sha256, kSha256);
}

TEST(Listing, ModelScopeAnswersFineForARevisionThatDoesNotExist) {
  const auto listing = parse_modelscope_listing(
      R"({"Code": 200, "Success": true, "Data": {"Files": null, "LatestCommitter": null}})");
  ASSERT_FALSE(listing);
  EXPECT_EQ(listing.error().code, Code::kNotFound);
}

TEST(Listing, RefusesPathsThatLeadOutside) {
  for (const char* path : {"../model.safetensors", "a/../../x", "/etc/passwd", "a\\\\b", "a//b", "",
                           "a\\u0000b", "a\\nb", "./x"}) {
    Listing listing;
    const auto status = append_hugging_face_page(
        fmt::format(R"([{{"type": "file", "path": "{}", "size": 1}}])", path), listing);
    EXPECT_FALSE(status) << path;
  }
}

TEST(Listing, RefusesSizesThatAreNone) {
  for (const char* size :
       {"-1", "1.5", "18446744073709551615", "\"7\"", "null", "99999999999999"}) {
    Listing listing;
    EXPECT_FALSE(append_hugging_face_page(
        fmt::format(R"([{{"type": "file", "path": "config.json", "size": {}}}])", size), listing))
        << size;
  }
}

TEST(Listing, OddNamesAreFineUntilSomebodyWantsThem) {
  Listing listing;
  ASSERT_TRUE(append_hugging_face_page(
      R"([{"type": "file", "path": "说明.md", "size": 1}, {"type": "file", "path": "模型.gguf", "size": 1}])",
      listing));
  EXPECT_FALSE(files_of_base(listing, ""));
}

TEST(BaseFiles, AreWhatModelOpenReads) {
  EXPECT_EQ(
      names(files_of_base(
          with({"README.md", ".gitattributes", "config.json", "tokenizer.json", "model.safetensors",
                "pytorch_model.bin", "original/consolidated.safetensors",
                "consolidated.safetensors", "onnx/model.safetensors", "x.gguf", "optimizer.pt"}),
          "")),
      (Names{"config.json", "model.safetensors", "tokenizer.json"}));
}

TEST(BaseFiles, ShardsComeWithTheirIndexAndWithoutTheWhole) {
  EXPECT_EQ(names(files_of_base(
                with({"config.json", "model.safetensors.index.json", "model.safetensors",
                      "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}),
                "")),
            (Names{"config.json", "model-00001-of-00002.safetensors",
                   "model-00002-of-00002.safetensors", "model.safetensors.index.json"}));
}

TEST(BaseFiles, OneGgufNeedsNoChoiceSeveralDo) {
  EXPECT_EQ(names(files_of_base(with({"README.md", "x-q8_0.gguf"}), "")), Names{"x-q8_0.gguf"});
  const auto two = with({"x-q8_0.gguf", "q4/x-q4_0.gguf"});
  const auto choice = files_of_base(two, "");
  ASSERT_FALSE(choice);
  EXPECT_EQ(choice.error().code, Code::kInvalidArgument);
  EXPECT_NE(choice.error().message.find("q4/x-q4_0.gguf"), std::string::npos);
  EXPECT_EQ(names(files_of_base(two, "q4/x-q4_0.gguf")), Names{"q4/x-q4_0.gguf"});
  EXPECT_EQ(files_of_base(two, "x.gguf").error().code, Code::kNotFound);
}

TEST(BaseFiles, PickleIsNeverAnAnswer) {
  const auto files = files_of_base(with({"config.json", "pytorch_model.bin"}), "");
  ASSERT_FALSE(files);
  EXPECT_NE(files.error().message.find("pickled"), std::string::npos);
}

TEST(BaseFiles, ANameThatComesTwiceIsRefused) {
  EXPECT_FALSE(files_of_base(with({"config.json", "model.safetensors", "config.json"}), ""));
}

TEST(Headers, NextPageIsTheOneCalledNext) {
  EXPECT_EQ(next_query(R"(<https://h/a?cursor=1%3D&x=2>; rel="next")"), "cursor=1%3D&x=2");
  EXPECT_EQ(next_query(R"(<https://h/a?p=0>; rel="first", <https://h/a?p=2>; rel="next")"), "p=2");
  EXPECT_EQ(next_query(R"(<https://h/a?p=0>; rel="first")"), "");
  for (const char* broken : {"", "<", "<>", "<a", ">", "rel=\"next\"", "<a>; rel=\"next\""})
    EXPECT_EQ(next_query(broken), "") << broken;
}

TEST(Headers, ContentRange) {
  Answer answer;
  read_content_range("bytes 100-199/1000", answer);
  EXPECT_EQ(answer.range_begin, 100);
  EXPECT_EQ(answer.range_total, 1000);
  for (const char* broken : {"", "bytes */1000", "bytes -5-9/10", "bytes 1-2", "items 1-2/3",
                             "bytes 99999999999999999999-1/2"}) {
    answer = {};
    read_content_range(broken, answer);
    EXPECT_EQ(answer.range_begin, -1) << broken;
  }
}

}  // namespace
}  // namespace plinth::hub
