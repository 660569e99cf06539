#include "train/data/documents.h"

#include <zstd.h>

#include <string>

#include <gtest/gtest.h>

#include "train/data/line_stream.h"
#include "train/run_files.h"

namespace plinth::train {
namespace {

std::string compress(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

class DocumentsTest : public testing::Test {
 protected:
  std::vector<std::string> read(const std::string& file, SourceKind kind, int64_t chars_max = 0) {
    Source source;
    source.name = "source";
    source.path = temp_.path() / file;
    source.kind = kind;
    source.chars_max = chars_max;
    const auto documents = read_documents(source);
    error_ = documents ? "" : documents.error().message;
    std::vector<std::string> texts;
    if (documents)
      for (const auto& document : *documents) texts.push_back(document.text);
    return texts;
  }

  void write(const std::string& file, const std::string& text) {
    std::filesystem::create_directories((temp_.path() / file).parent_path());
    write_text(temp_.path() / file, text);
  }

  TempDirectory temp_ = *TempDirectory::create();
  std::string error_;
};

using Texts = std::vector<std::string>;

TEST_F(DocumentsTest, SplitsTextAtBlankLines) {
  write("a.txt", "one\ntwo\n\n \t\nthree\r\n\n\nfour");
  EXPECT_EQ(read("a.txt", SourceKind::kText), (Texts{"one\ntwo\n", "three\n", "four\n"}));
  EXPECT_EQ(read("a.txt", SourceKind::kPlain).size(), 1u);
}

TEST_F(DocumentsTest, ReadsZstdLikePlainText) {
  std::string text;
  for (int i = 0; i < 300000; ++i) text += std::to_string(i) + (i % 5 == 0 ? "\n\n" : "\n");
  write("a.txt", text + "last\n");
  write("b.txt.zst", compress(text) + compress("last\n"));  // two frames
  const auto plain = read("a.txt", SourceKind::kText);
  EXPECT_EQ(plain.size(), 60001u);
  EXPECT_TRUE(read("b.txt.zst", SourceKind::kText) == plain);
}

TEST_F(DocumentsTest, ReadsWhatAZstdStreamHoldsBackAfterItsInput) {
  write("a.txt.zst", compress(std::string(20'000'000, 'x')));
  const auto texts = read("a.txt.zst", SourceKind::kPlain);
  ASSERT_EQ(texts.size(), 1u) << error_;
  EXPECT_EQ(texts[0].size(), 20'000'001u);
}

TEST_F(DocumentsTest, SaysWhenAZstdStreamIsCutOffOrDamaged) {
  const std::string whole = compress(std::string(100000, 'x') + "\n");
  write("cut.txt.zst", whole.substr(0, whole.size() - 5));
  EXPECT_TRUE(read("cut.txt.zst", SourceKind::kText).empty());
  EXPECT_NE(error_.find("cut off"), std::string::npos) << error_;
  write("bad.txt.zst", "this is not zstd");
  read("bad.txt.zst", SourceKind::kText);
  EXPECT_NE(error_.find("zstd"), std::string::npos) << error_;
}

TEST_F(DocumentsTest, ReadsAFolderInTheOrderOfItsPaths) {
  write("tree/b.md", "B");
  write("tree/a/z.md", "Z");
  write("tree/skipped.txt", "no");
  EXPECT_EQ(read("tree", SourceKind::kMdTree), (Texts{"Z\n", "B\n"}));
  EXPECT_TRUE(read("tree", SourceKind::kJsonl).empty());
  EXPECT_NE(error_.find("no .jsonl file"), std::string::npos) << error_;
}

TEST_F(DocumentsTest, StopsWhenItHasEnoughCharacters) {
  write("a.txt", "一二三\n\n四五六\n\n七八九\n");
  EXPECT_EQ(read("a.txt", SourceKind::kText, 6).size(), 2u);
}

TEST_F(DocumentsTest, NamesTheLineOfABadRow) {
  write("a.jsonl", "{\"text\": \"a\"}\n{\"body\": \"b\"}\n");
  read("a.jsonl", SourceKind::kJsonl);
  EXPECT_NE(error_.find("a.jsonl:2"), std::string::npos) << error_;
  EXPECT_NE(error_.find("text"), std::string::npos) << error_;
}

TEST_F(DocumentsTest, WritesChatRowsInTheTemplatesForm) {
  write("a.jsonl", "{\"instruction\": \"q\", \"output\": \"a\"}\n");
  EXPECT_EQ(read("a.jsonl", SourceKind::kChat),
            (Texts{"<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n"}));
}

TEST(LineStream, CountsLinesAndKeepsTheLastWithoutEnd) {
  const auto temp = *TempDirectory::create();
  write_text(temp.path() / "a.txt", "a\n\nb");
  auto lines = LineStream::open(temp.path() / "a.txt");
  ASSERT_TRUE(lines);
  std::string line;
  Texts all;
  while (*lines->next(line)) all.push_back(line);
  EXPECT_EQ(all, (Texts{"a", "", "b"}));
  EXPECT_EQ(lines->line_number(), 3);
}

}  // namespace
}  // namespace plinth::train
