#include "corpus/unpack/unpack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "corpus/unpack/archive_of_test.h"
#include "corpus/unpack/utf8_names.h"

namespace plinth::corpus {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Le;

// Each leaf as "path=bytes" or "path: error".
std::vector<std::string> leaves(const std::string& bytes, const std::string& name,
                                const RefineRecipe& recipe = {}) {
  std::vector<std::string> out;
  const auto status =
      unpack({name, bytes}, kind_of(name, bytes), recipe, [&](Leaf&& leaf) -> Status {
        out.push_back(leaf.error.empty() ? leaf.path + "=" + leaf.bytes
                                         : leaf.path + ": " + leaf.error);
        return {};
      });
  EXPECT_TRUE(status);
  return out;
}

TEST(Unpack, EveryContainerByItsContent) {
  const Entries files = {{"a.txt", "one"}, {"b/c.txt", "two"}};
  for (const Packing packing :
       {Packing::kZip, Packing::kTar, Packing::kTarGzip, Packing::kTarZstd, Packing::kSevenZip})
    EXPECT_THAT(leaves(archive_of(files, packing), "x"),
                ElementsAre("x!/a.txt=one", "x!/b/c.txt=two"));
  EXPECT_THAT(leaves(archive_of(files, Packing::kGzip), "d/a.txt.gz"),
              ElementsAre("d/a.txt.gz!/a.txt=one"));
  EXPECT_THAT(leaves(archive_of(files, Packing::kZstd), "a"), ElementsAre("a!/a=one"));
}

TEST(Unpack, ContainersInContainers) {
  const std::string inner = archive_of({{"deep.txt", "x"}}, Packing::kTarZstd);
  const std::string middle = zip_of({{"inner", inner}, {"next.txt", "y"}});
  EXPECT_THAT(leaves(archive_of({{"m.zip", middle}}, Packing::kSevenZip), "a.7z"),
              ElementsAre("a.7z!/m.zip!/inner!/deep.txt=x", "a.7z!/m.zip!/next.txt=y"));
  RefineRecipe shallow;
  shallow.unpack_depth_max = 2;
  EXPECT_THAT(leaves(archive_of({{"m.zip", middle}}, Packing::kSevenZip), "a.7z", shallow),
              ElementsAre("a.7z!/m.zip!/inner: a zstd file 2 containers deep is not opened",
                          "a.7z!/m.zip!/next.txt=y"));
}

TEST(Unpack, OfficeFilesAreLeavesAndHiddenFilesAreNot) {
  const std::string docx = zip_of({{"word/document.xml", "<w:document/>"}});
  EXPECT_THAT(leaves(zip_of({{"__MACOSX/._a", "x"}, {".git/config", "x"}, {"a", docx}}), "z"),
              ElementsAre("z!/a=" + docx));
}

TEST(Unpack, NamesThatAreMarkedAsUnicodeAreRead) {
  for (const Packing packing : {Packing::kZip, Packing::kSevenZip}) {
    const std::string bytes = [&] {
      const Utf8Names names;  // as other programs write them
      return archive_of({{"目录/规程.txt", "x"}, {"目录/办法.txt", "y"}}, packing);
    }();
    EXPECT_THAT(leaves(bytes, "z"), ElementsAre("z!/目录/规程.txt=x", "z!/目录/办法.txt=y"));
  }
}

TEST(Unpack, NamesInGbkAreRead) {
  const std::string gbk = "\xB9\xE6\xB3\xCC\xB9\xDC\xC0\xED\xB0\xEC\xB7\xA8.txt";  // 规程管理办法
  EXPECT_THAT(leaves(zip_of({{gbk, "x"}}), "z"), ElementsAre("z!/规程管理办法.txt=x"));
  EXPECT_THAT(leaves(zip_of({{"规程.txt", "x"}}), "z"), ElementsAre("z!/规程.txt=x"));
}

TEST(Unpack, ABombIsOneLineAndWhatCameBeforeStays) {
  RefineRecipe recipe;
  recipe.unpack_ratio_max = 100;
  const std::string zeros(size_t{100} << 20, '0');
  const auto bomb =
      leaves(archive_of({{"a.txt", "first"}, {"b", zeros}, {"c.txt", "last"}}, Packing::kTarGzip),
             "x", recipe);
  EXPECT_THAT(bomb, ElementsAre("x!/a.txt=first", "x: unpacks to more than 100 times its size"));
  recipe = {};
  recipe.unpack_entries_max = 2;
  EXPECT_THAT(leaves(zip_of({{"a", "1"}, {"b", "2"}, {"c", "3"}}), "x", recipe),
              ElementsAre("x!/a=1", "x!/b=2", "x: more than 2 files are inside"));
  recipe = {};
  recipe.unpack_bytes_max = 3;
  EXPECT_THAT(leaves(zip_of({{"a", "12"}, {"b", "34"}}), "x", recipe),
              ElementsAre("x!/a=12", "x: unpacks to more than 3 bytes"));
  recipe = {};
  recipe.file_bytes_max = 3;
  EXPECT_THAT(leaves(zip_of({{"a", "1234"}, {"b", "34"}}), "x", recipe),
              ElementsAre("x!/a: a line of 4 bytes, more than 3", "x!/b=34"));
}

// A ZIP that holds itself many times over, ten deep, as 42.zip does.
TEST(Unpack, ABombOfContainersIsOneLine) {
  std::string zip = archive_of({{"0", std::string(size_t{8} << 20, '0')}}, Packing::kGzip);
  for (int i = 0; i < 7; ++i) {
    Entries ten;
    for (int k = 0; k < 10; ++k) ten.emplace_back(fmt::format("{}.zip", k), zip);
    zip = zip_of(ten);
  }
  RefineRecipe recipe;
  recipe.unpack_depth_max = 10;
  EXPECT_THAT(leaves(zip, "x", recipe).back(), HasSubstr("times its size"));
}

TEST(Unpack, DamageIsOneLine) {
  const std::string noise = [] {
    std::string out;
    for (uint32_t i = 0, x = 1; i < 100'000; ++i) {
      x = x * 1664525 + 1013904223;
      out.push_back(static_cast<char>(x >> 24));
    }
    return out;
  }();
  for (const Packing packing :
       {Packing::kZip, Packing::kTarGzip, Packing::kTarZstd, Packing::kSevenZip}) {
    std::string cut = archive_of({{"a.txt", "one"}, {"b", noise}}, packing);
    cut.resize(cut.size() / 2);
    const auto found = leaves(cut, "x");
    ASSERT_FALSE(found.empty());
    EXPECT_THAT(found.back(), HasSubstr(": ")) << static_cast<int>(packing);
  }
}

TEST(Unpack, ShortRowsComeInPiecesOfSoMany) {
  std::string rows;
  for (int i = 0; i < 40'000; ++i) rows += "{}\n";
  std::string read;
  std::vector<size_t> sizes;
  ASSERT_TRUE(unpack({"a.jsonl", rows}, Kind::kJsonl, {}, [&](Leaf&& leaf) -> Status {
    EXPECT_EQ(leaf.begin, read.size());
    EXPECT_EQ(leaf.end, read.size() + leaf.bytes.size());
    read += leaf.bytes;
    sizes.push_back(leaf.bytes.size() / 3);
    return {};
  }));
  EXPECT_EQ(read, rows);
  EXPECT_THAT(sizes, Each(Le(size_t{4096})));
  EXPECT_EQ(sizes.size(), 10u);
}

TEST(Unpack, ALineThatIsTooLongIsOneRejectAndItsNeighboursStay) {
  RefineRecipe recipe;
  recipe.file_bytes_max = 100'000;
  std::string text = "前面的行。\n";
  const size_t begin = text.size();
  text += std::string(350'000, 'x') + "\n";
  const size_t end = text.size();
  while (text.size() < 700'000) text += "后面的行，每一行都应当留下来。\n";
  const std::string last = std::string(120'000, 'y');
  for (const bool packed : {false, true}) {
    const std::string bytes = text + last;
    const std::string file = packed ? archive_of({{"a.txt", bytes}}, Packing::kGzip) : bytes;
    const Kind kind = packed ? Kind::kGzip : Kind::kText;
    std::string read;
    std::vector<std::pair<uint64_t, uint64_t>> bad;
    ASSERT_TRUE(unpack({"a.txt", file}, kind, recipe, [&](Leaf&& leaf) -> Status {
      EXPECT_LE(leaf.bytes.size(), recipe.file_bytes_max + (1 << 16));
      EXPECT_EQ(leaf.bytes, leaf.error.empty() ? bytes.substr(leaf.begin, leaf.bytes.size()) : "");
      read += leaf.bytes;
      if (leaf.error.empty()) return {};
      EXPECT_THAT(leaf.error, HasSubstr("a line of"));
      bad.emplace_back(leaf.begin, leaf.end);
      return {};
    }));
    EXPECT_EQ(read, text.substr(0, begin) + text.substr(end)) << packed;
    EXPECT_THAT(bad, ElementsAre(std::pair(begin, end), std::pair(text.size(), bytes.size())))
        << packed;
  }
}

TEST(Unpack, LongJsonlComesInPiecesOfWholeRows) {
  std::string rows;
  while (rows.size() < (size_t{20} << 20))
    rows += fmt::format("{{\"text\":\"{}{}\"}}\n", rows.size(), std::string(5000, 'x'));
  const auto check = [&](const std::string& bytes, const std::string& name,
                         const std::string& path) {
    uint64_t at = 0;
    int pieces = 0;
    ASSERT_TRUE(unpack({name, bytes}, kind_of(name, bytes), {}, [&](Leaf&& leaf) -> Status {
      EXPECT_EQ(leaf.path, path);
      EXPECT_EQ(leaf.kind, Kind::kJsonl);
      EXPECT_EQ(leaf.begin, at);
      EXPECT_EQ(leaf.bytes, rows.substr(at, leaf.bytes.size()));
      EXPECT_EQ(leaf.bytes.back(), '\n');
      at = leaf.end;
      ++pieces;
      return {};
    }));
    EXPECT_EQ(at, rows.size());
    EXPECT_GE(pieces, 15);
  };
  check(rows, "a.jsonl", "a.jsonl");
  check(archive_of({{"", rows}}, Packing::kZstd), "a.jsonl.zst", "a.jsonl.zst!/a.jsonl");
  check(zip_of({{"r", rows}}), "z", "z!/r");
}

// The address in a crawl is whatever a server was asked for.
TEST(Unpack, AnAddressThatIsNotUtf8StillNamesItsDocuments) {
  const std::string inner = archive_of({{"a.txt", "one"}}, Packing::kZip);
  const std::string head = "HTTP/1.0 200 OK\r\n\r\n";
  const std::string crawl = "filedesc://x 0.0.0.0 20200101000000 text/plain 0\n\n" +
                            fmt::format("http://h/\xFF 1.1.1.1 20200101000000 application/zip {}\n",
                                        head.size() + inner.size()) +
                            head + inner + "\n";
  EXPECT_THAT(leaves(crawl, "c.arc"), ElementsAre("c.arc!/http://h/\uFFFD!/a.txt=one"));
}

}  // namespace
}  // namespace plinth::corpus
